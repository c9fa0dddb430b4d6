"""lora: a style learnt from a set of pictures (contract: lora.*).

A training fetches its pictures when it begins, as there may be a thousand. What is learnt can be used as a LoRA of
imgenstd by the account that trained it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import lora_models, models
from atelier_mcp.server.emulator.mhapi.calls import Call, route, service
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, STATE, Refused, invalid
from atelier_mcp.server.emulator.mhapi.fields import Choice, Field, Many, Text
from atelier_mcp.server.emulator.mhapi.results import message
from atelier_mcp.server.emulator.mhapi.services import accepted, task_routes
from atelier_mcp.server.emulator.tasks import CANCELLED, WAIT_SHARE, Order, Phase
from atelier_mcp.server.emulator.training import Trainer

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.settings import MhapiSwitches
    from atelier_mcp.server.emulator.tasks import View
    from atelier_mcp.server.emulator.world import World

NAME: Final = lora_models.NAME
LEARN: Final = "atelier_mcp.server.engine.studio:learn"
MOST_PICTURES: Final = 1000
VIP_WAIT_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """An array of strings; a single string is a list of one (lora.train.images_type)."""

    many: Many

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> list[str]:
        """The strings."""
        return self.many.read([value] if isinstance(value, str) else value, place, switches)


TRAIN: Final = (
    Field("base_model_id", Text(), required=True),
    Field("model_name", Text(length=64, may_be_empty=True), default=""),
    Field("description", Text(length=1024, may_be_empty=True), default=""),
    Field("trigger_word", Text(length=256, may_be_empty=True), default=""),
    Field("main_object", Choice(("Human", "Style", "")), default="Human"),
    Field("task_type", Choice(("NORMAL", "VIP")), default="NORMAL"),
    Field("images", OneOrMany(Many(Text(), most=MOST_PICTURES, least=1)), required=True),
)
CANCEL: Final = (Field("task_id", Text(), required=True),)


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    world.tasks.render_with(service(NAME), Trainer(world).train)
    return [
        route(world, "POST", "/v1/lora/cancel", cancel),
        *task_routes(world, NAME, {"train": train}, listing=list_models, shape=shaped),
    ]


async def list_models(call: Call) -> Any:
    """The base models, or the account's own LoRAs (lora.models)."""
    models.only_known(call, "size", "offset", "type")
    if models.choice(call, "type", ("LORA", "Checkpoint"), "Checkpoint") == "LORA":
        return models.page(call, [model.full() for model in await lora_models.trained(call)])
    bases = (family.checkpoint for family in models.FAMILIES if models.LORA in family.kinds)
    return models.page(call, [model.full() for model in bases])


async def train(call: Call) -> Any:
    """Accept a training; VIP tasks wait less."""
    values = call.read(TRAIN)
    base = models.find(models.CHECKPOINTS, values["base_model_id"])
    if models.LORA not in models.FAMILY_OF[base.id].kinds:
        raise invalid(f"{base.id} cannot be trained on")
    if len(set(values["images"])) < len(values["images"]):
        raise invalid("images: a picture is repeated")
    arguments = {"images": values["images"], "main_object": values["main_object"] or "Human"}
    facts = {
        "model_name": values["model_name"] or "Untitled LoRA",
        "description": values["description"],
        "trigger_word": values["trigger_word"],
        "base_model_type": base.base_model_type,
    }
    wait = VIP_WAIT_SHARE if values["task_type"] == "VIP" else WAIT_SHARE
    task = await call.accept(NAME, Order(LEARN, arguments), facts=facts, wait_share=wait, lasting=True)
    return accepted(task.task_id)


async def shaped(call: Call, view: View) -> dict[str, Any]:
    """A training's state, its message under both names (lora.state_msg), its LoRA once there is one."""
    done = view.phase is Phase.SUCCESS
    text = "" if done else message(view)
    return {
        "state": "DONE" if done and call.switches.lora_done else view.phase.value,
        "state_message": text,
        "state_msg": text,
        "task_id": view.task.task_id,
        "lora_id": lora_models.id_of(view.task) if done else "",
        "training_progress": view.progress,
    }


async def cancel(call: Call) -> Any:
    """Cancel a training that still waits; it ends as FAILED with the message cancelled (lora.cancelled_state)."""
    task_id = call.read(CANCEL)["task_id"]
    view = await call.world.tasks.look(service(NAME), task_id, call.account.access_key)
    if view is None:
        raise Refused(NOT_FOUND, "the task does not exist")
    if view.phase is Phase.PENDING:
        await call.world.tasks.fail(view.task, CANCELLED)
        return {"success": True}
    if call.switches.late_cancel_code_9:
        raise Refused(STATE, f"the task is {view.phase.value}")
    return {"success": False}
