"""lora: a style learnt from a set of pictures (contract: lora.*).

A training fetches its pictures when it begins, as there may be a thousand. What is learnt can be used as a LoRA of
imgenstd by the account that trained it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_service_id
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, STATE, MhapiHttpError, invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    ChoiceRule,
    ListRule,
    Parameter,
    TextRule,
    build_page,
    check_query_names,
    read_query_choice,
)
from atelier_mcp.server.emulator.mhapi.results import build_submit_response, build_task_rows, format_message
from atelier_mcp.server.emulator.tasks import CANCELLED, WAIT_SHARE, Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow
    from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches
    from atelier_mcp.server.emulator.tasks import TaskView

NAME: Final = models.TRAININGS
LEARN: Final = "learn"
MOST_IMAGES: Final = 1000
VIP_WAIT_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class OneOrManyRule:
    """An array of strings; a single string is a list of one (lora.train.images_type)."""

    list_rule: ListRule

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> list[str]:
        """The strings."""
        return self.list_rule.read([value] if isinstance(value, str) else value, place, switches)


TRAIN: Final = (
    Parameter("base_model_id", TextRule(), required=True),
    # Lengths count code points, not widths (lora.train.length_unit).
    Parameter("model_name", TextRule(length=64, may_be_empty=True), default=""),
    Parameter("description", TextRule(length=1024, may_be_empty=True), default=""),
    # Not trigger_name (lora.train.trigger_name); listings have it as trigger_words.
    Parameter("trigger_word", TextRule(length=256, may_be_empty=True), default=""),
    Parameter("main_object", ChoiceRule(("Human", "Style", "")), default="Human"),
    # Whether an account may use VIP is nowhere said: it may (lora.train.permission).
    Parameter("task_type", ChoiceRule(("NORMAL", "VIP")), default="NORMAL"),
    Parameter("images", OneOrManyRule(ListRule(TextRule(), most=MOST_IMAGES, least=1)), required=True),
)
CANCEL: Final = (Parameter("task_id", TextRule(), required=True),)


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    return [
        ("POST", "/v1/lora/cancel", cancel),
        *build_task_rows(NAME, {"train": train}, listing=list_models, build_result=build_training_result),
    ]


async def list_models(call: MhapiCall) -> Any:
    """The base models, or the account's own LoRAs (lora.models)."""
    check_query_names(call.query, "size", "offset", "type", switches=call.switches)
    if read_query_choice(call.query, "type", ("LORA", "Checkpoint"), "Checkpoint") == "LORA":
        return build_page(call.query, [model.to_full_row() for model in await models.list_trained(call)])
    bases = (family.checkpoint for family in models.FAMILIES if models.LORA in family.kinds)
    return build_page(call.query, [model.to_full_row() for model in bases])


async def train(call: MhapiCall) -> Any:
    """Accept a training; VIP tasks wait less."""
    values = call.read_parameters(TRAIN)
    base = models.find_model(models.CHECKPOINTS, values["base_model_id"])
    if models.LORA not in models.FAMILY_OF[base.id].kinds:
        raise invalid_parameter(f"{base.id} cannot be trained on")
    if len(set(values["images"])) < len(values["images"]):
        raise invalid_parameter("images: a picture is repeated")
    arguments = {"images": values["images"], "main_object": values["main_object"] or "Human"}
    facts = {
        "model_name": values["model_name"] or "Untitled LoRA",
        "description": values["description"],
        "trigger_word": values["trigger_word"],
        "base_model_type": base.base_model_type,
    }
    wait = VIP_WAIT_SHARE if values["task_type"] == "VIP" else WAIT_SHARE
    task = await call.accept(NAME, EngineTask(LEARN, arguments), facts=facts, wait_share=wait, lasting=True)
    return build_submit_response(task.task_id)


async def build_training_result(call: MhapiCall, view: TaskView) -> dict[str, Any]:
    """A training's state, its message under both names (lora.state_msg), its LoRA once there is one."""
    done = view.phase is Phase.SUCCESS
    text = "" if done else format_message(view)
    return {
        "state": "DONE" if done and call.switches.lora_done else view.phase.value,
        "state_message": text,
        "state_msg": text,
        "task_id": view.task.task_id,
        # Not before it can be used (lora.lora_id_early).
        "lora_id": models.build_lora_id(view.task) if done else "",
        # A share of 1, not of 100 (lora.progress_scale).
        "training_progress": view.progress,
    }


async def cancel(call: MhapiCall) -> Any:
    """Cancel a training that still waits; it ends as FAILED with the message cancelled (lora.cancelled_state)."""
    task_id = call.read_parameters(CANCEL)["task_id"]
    view = await call.emulator.tasks.find(build_service_id(NAME), task_id, call.account.access_key)
    if view is None:
        raise MhapiHttpError(NOT_FOUND, "the task does not exist")
    # Only what still waits (lora.cancel.waiting_name).
    if view.phase is Phase.PENDING:
        await call.emulator.tasks.fail(view.task, CANCELLED)
        return {"success": True}
    if call.switches.late_cancel_code_9:
        raise MhapiHttpError(STATE, f"the task is {view.phase.value}")
    return {"success": False}
