"""The LoRAs an account can use: the built-in ones, and those it has trained (contract: lora.models)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_service_id
from atelier_mcp.server.emulator.mhapi.models import MhapiModelRow
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskView

NAME: Final = "lora"
PREFIX: Final = "lora_"


def build_lora_id(task: TaskRecord) -> str:
    """The id of the LoRA that a training makes."""
    return f"{PREFIX}{task.task_id}"


async def list_trained(call: MhapiCall) -> list[MhapiModelRow]:
    """The account's finished LoRAs, oldest first."""
    views = await call.emulator.tasks.list_views(build_service_id(NAME), call.account.access_key)
    return [_build_model(view) for view in views if view.phase is Phase.SUCCESS]


async def find_lora(call: MhapiCall, model_id: str) -> MhapiModelRow | None:
    """The LoRA of that id, if the account can use it."""
    if model_id in models.BUILT_IN_LORAS:
        return models.BUILT_IN_LORAS[model_id][1]
    view = await _find_training(call, model_id)
    return _build_model(view) if view is not None and view.phase is Phase.SUCCESS else None


async def load_profile(call: MhapiCall, model_id: str) -> bytes | str:
    """What the engine needs of a LoRA that was found: the learned bytes, or the name of a built-in style."""
    if model_id in models.BUILT_IN_LORAS:
        return models.BUILT_IN_LORAS[model_id][0]
    view = await _find_training(call, model_id)
    assert view is not None  # noqa: S101 - it was found
    assert view.outcome is not None  # noqa: S101 - and was finished
    path = call.emulator.store.build_path(view.task.service, view.task.task_id, view.outcome.file)
    return await asyncio.to_thread(path.read_bytes)


async def _find_training(call: MhapiCall, model_id: str) -> TaskView | None:
    task_id = model_id.removeprefix(PREFIX)
    return await call.emulator.tasks.find(build_service_id(NAME), task_id, call.account.access_key)


def _build_model(view: TaskView) -> MhapiModelRow:
    facts = view.task.facts
    return MhapiModelRow(
        id=build_lora_id(view.task),
        name=facts["model_name"],
        description=facts["description"],
        base_model_type=facts["base_model_type"],
        model_type="LORA",
        trigger_words=facts["trigger_word"],
    )
