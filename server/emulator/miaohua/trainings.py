"""LoRA trainings, and the models that come of them (contract: train_submit, train_progress, models_private)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.miaohua import datasets, models
from atelier_mcp.server.emulator.miaohua.errors import (
    UNKNOWN_TASK,
    MiaohuaApiResponse,
    MiaohuaHttpError,
    invalid_parameter,
)
from atelier_mcp.server.emulator.miaohua.models import (
    BUILT_IN_LORAS,
    FIRST_TRAINED_ID,
    SUBJECTS,
    MiaohuaModelRow,
    normalize_name,
)
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaCall
    from atelier_mcp.server.emulator.tasks import TaskView

TRAININGS: Final = "miaohua.trainings"
SUBMIT_NAMES: Final = (
    "name", "description", "base_model", "base_model_version", "trigger_word", "main_body", "dataset", "nsfw",
)  # fmt: skip
PREFIX: Final = "lora_"
LEARN: Final = "learn"
STATES: Final = {Phase.PENDING: "pending", Phase.RUNNING: "training", Phase.SUCCESS: "done", Phase.FAILED: "failed"}
CHINA: Final = timezone(timedelta(hours=8))
"""Times carry no zone; this is the vendor's (contract: dataset_all.time_zone)."""


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


async def list_own(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The account's own models, which are its finished trainings (models_private)."""
    return models.build_page(
        call, [_build_model(view, number) for number, view in enumerate(await _list_finished(call))]
    )


async def find_lora_id(call: MiaohuaCall, name: str) -> str:
    """The version id of the account's LoRA of that name; empty when there is none (trained_model_use)."""
    if not name:
        return ""
    matches = [
        view for view in await _list_finished(call) if normalize_name(view.task.facts["name"]) == normalize_name(name)
    ]
    return f"{PREFIX}{matches[-1].task.task_id}" if matches else ""


async def load_profile(call: MiaohuaCall, versionid: str) -> bytes | str | None:
    """What the engine needs of a LoRA: the name of a built-in style or the learnt bytes; None when there is none."""
    for style, model in BUILT_IN_LORAS.items():
        if model.versionid == versionid:
            return style
    task_id = versionid.removeprefix(PREFIX)
    view = await call.emulator.tasks.find(TRAININGS, task_id, call.account.access_key)
    if view is None or view.phase is not Phase.SUCCESS or view.outcome is None:
        return None
    path = call.emulator.store.build_path(TRAININGS, task_id, view.outcome.file)
    return await asyncio.to_thread(path.read_bytes)


def format_time(unix_s: float) -> str:
    """A moment as the service writes it."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


async def _list_finished(call: MiaohuaCall) -> list[TaskView]:
    views = await call.emulator.tasks.list_views(TRAININGS, call.account.access_key)
    return [view for view in views if view.phase is Phase.SUCCESS]


def _build_model(view: TaskView, number: int) -> MiaohuaModelRow:
    facts: Any = view.task.facts
    return MiaohuaModelRow(
        f"{PREFIX}{view.task.task_id}",
        facts["name"],
        FIRST_TRAINED_ID + number,
        facts["description"],
        author=view.task.account,
        base_model=facts["base_model"],
        tag="LORA",
    )
