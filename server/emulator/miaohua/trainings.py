"""LoRA trainings (contract: train_submit, train_progress); what comes of them is in ``models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.miaohua import datasets, models
from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse, format_time
from atelier_mcp.server.emulator.miaohua.errors import UNKNOWN_TASK, MiaohuaHttpError, invalid_parameter
from atelier_mcp.server.emulator.miaohua.models import SUBJECTS, TRAININGS
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall

SUBMIT_NAMES: Final = (
    "name", "description", "base_model", "base_model_version", "trigger_word", "main_body", "dataset", "nsfw",
)  # fmt: skip
LEARN: Final = "learn"
# Only done is printed; the other words are ours (train_progress.training_states).
STATES: Final = {Phase.PENDING: "pending", Phase.RUNNING: "training", Phase.SUCCESS: "done", Phase.FAILED: "failed"}


def build_rows() -> list[CallRow]:
    """Both calls."""
    return [
        ("POST", "/train_submit", submit, SUBMIT_NAMES),
        ("POST", "/train_progress", get_progress, ("task_id",)),
    ]


async def submit(call: MiaohuaCall) -> MiaohuaApiResponse:
    """Accept a training on one or more data sets; ``nsfw`` is ignored (train_submit.nsfw_polarity)."""
    parameters = call.parameters
    subject = parameters.read_choice("main_body", SUBJECTS, "Style")
    base = models.find_trainable(parameters.read_text("base_model_version", ""), parameters.read_text("base_model", ""))
    links = [
        link for number in parameters.read_integers("dataset") for link in await datasets.list_image_links(call, number)
    ]
    if not links:
        raise invalid_parameter("the data sets hold no picture")
    facts = {
        "name": parameters.read_text("name").replace(" ", "_"),
        "description": parameters.read_text("description", ""),
        "trigger_word": parameters.read_text("trigger_word", ""),
        "main_body": subject,
        "base_model": base.model_name,
    }
    if not facts["name"]:
        raise invalid_parameter("name must not be empty")
    # A picture that is in two of the data sets counts once.
    arguments = {"images": list(dict.fromkeys(links)), "main_object": "Human" if subject == "Human" else "Style"}
    task = await call.accept(TRAININGS, EngineTask(LEARN, arguments), facts=facts, lasting=True)
    return MiaohuaApiResponse({"task_id": task.task_id})


async def get_progress(call: MiaohuaCall) -> MiaohuaApiResponse:
    """State and share of one training; the name is the model's own, without spaces (train_progress.name_change)."""
    view = await call.emulator.tasks.find(TRAININGS, call.parameters.read_text("task_id"), call.account.access_key)
    if view is None:
        raise MiaohuaHttpError(UNKNOWN_TASK)
    facts = view.task.facts
    info = {
        "create_time": format_time(view.task.accepted_at),
        "description": facts["description"],
        "main_body": facts["main_body"],
        "model_name": facts["name"],
        "state": STATES[view.phase],
        "training_progress": round(view.progress, 3),
        "trigger_word": facts["trigger_word"],
    }
    return MiaohuaApiResponse(info, mirrored=True)
