"""LoRA trainings, and the models that come of them (contract: train_submit, train_progress, models_private)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua import datasets, models
from atelier_mcp.server.emulator.miaohua.answers import UNKNOWN_TASK, Refused, Reply, illegal
from atelier_mcp.server.emulator.miaohua.models import BUILT_IN_LORAS, FIRST_TRAINED_ID, SUBJECTS, Model, plain
from atelier_mcp.server.emulator.tasks import Order, Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import Call
    from atelier_mcp.server.emulator.tasks import View

TRAININGS: Final = "miaohua.trainings"
SUBMIT_NAMES: Final = (
    "name", "description", "base_model", "base_model_version", "trigger_word", "main_body", "dataset", "nsfw",
)  # fmt: skip
PREFIX: Final = "lora_"
LEARN: Final = "atelier_mcp.server.engine.studio:learn"
STATES: Final = {Phase.PENDING: "pending", Phase.RUNNING: "training", Phase.SUCCESS: "done", Phase.FAILED: "failed"}
CHINA: Final = timezone(timedelta(hours=8))
"""Times carry no zone; this is the vendor's (contract: dataset_all.time_zone)."""


async def submit(call: Call) -> Reply:
    """Accept a training on one or more data sets; ``nsfw`` is ignored (train_submit.nsfw_polarity)."""
    given = call.given
    subject = given.choice("main_body", SUBJECTS, "Style")
    base = models.trainable(given.text("base_model_version", ""), given.text("base_model", ""))
    links = [link for number in given.numbers("dataset") for link in await datasets.pictures_of(call, number)]
    if not links:
        raise illegal("the data sets hold no picture")
    facts = {
        "name": given.text("name").replace(" ", "_"),
        "description": given.text("description", ""),
        "trigger_word": given.text("trigger_word", ""),
        "main_body": subject,
        "base_model": base.model_name,
    }
    if not facts["name"]:
        raise illegal("name must not be empty")
    arguments = {"images": list(dict.fromkeys(links)), "main_object": "Human" if subject == "Human" else "Style"}
    task = await call.accept(TRAININGS, Order(LEARN, arguments), facts=facts, lasting=True)
    return Reply({"task_id": task.task_id})


async def progress(call: Call) -> Reply:
    """State and share of one training; the name is the model's own, without spaces (train_progress.name_change)."""
    view = await call.world.tasks.look(TRAININGS, call.given.text("task_id"), call.account.access_key)
    if view is None:
        raise Refused(UNKNOWN_TASK)
    facts = view.task.facts
    info = {
        "create_time": local_time(view.task.accepted_at),
        "description": facts["description"],
        "main_body": facts["main_body"],
        "model_name": facts["name"],
        "state": STATES[view.phase],
        "training_progress": round(view.progress, 3),
        "trigger_word": facts["trigger_word"],
    }
    return Reply(info, mirrored=True)


async def list_own(call: Call) -> Reply:
    """The account's own models, which are its finished trainings (models_private)."""
    return models.page(call, [_model(view, number) for number, view in enumerate(await _finished(call))])


async def named(call: Call, name: str) -> str:
    """The version id of the account's LoRA of that name; empty when there is none (trained_model_use)."""
    if not name:
        return ""
    found = [view for view in await _finished(call) if plain(view.task.facts["name"]) == plain(name)]
    return f"{PREFIX}{found[-1].task.task_id}" if found else ""


async def profile(call: Call, versionid: str) -> bytes | str | None:
    """What the engine needs of a LoRA: the name of a built-in style or the learnt bytes; None when there is none."""
    for style, model in BUILT_IN_LORAS.items():
        if model.versionid == versionid:
            return style
    task_id = versionid.removeprefix(PREFIX)
    view = await call.world.tasks.look(TRAININGS, task_id, call.account.access_key)
    if view is None or view.phase is not Phase.SUCCESS or view.outcome is None:
        return None
    path = call.world.store.path(TRAININGS, task_id, view.outcome.file)
    return await asyncio.to_thread(path.read_bytes)


def local_time(unix_s: float) -> str:
    """A moment as the service writes it."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


async def _finished(call: Call) -> list[View]:
    views = await call.world.tasks.all_of(TRAININGS, call.account.access_key)
    return [view for view in views if view.phase is Phase.SUCCESS]


def _model(view: View, number: int) -> Model:
    facts: Any = view.task.facts
    return Model(
        f"{PREFIX}{view.task.task_id}",
        facts["name"],
        FIRST_TRAINED_ID + number,
        facts["description"],
        author=view.task.account,
        base_model=facts["base_model"],
        tag="LORA",
    )
