"""What the LoRAs a prompt calls up mean to the engine: built-in styles, and what trainings here have learnt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall, SdAwsHttpError, build_service_id
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.parameters import BUILT_IN_STYLES
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

STATES: Final = {
    Phase.PENDING: "Training", Phase.RUNNING: "Training", Phase.SUCCESS: "Complete", Phase.FAILED: "Fail",
}  # fmt: skip


async def load_profiles(
    call: SdAwsCall, lora_tags: Sequence[tuple[str, float]], files: Sequence[str]
) -> list[list[Any]]:
    """The engine's profiles for names in a prompt; a file nobody here can read changes nothing.

    Raises Refused for a name without a file among ``files``: the worker would not find it.
    """
    stems = {_strip_suffix(name): name for name in files}
    found: list[list[Any]] = []
    for name, weight in lora_tags:
        if name not in stems:
            raise SdAwsHttpError(400, f"checkpoint with name {name}, type Lora is not found", key="errMsg")
        if (profile := await _load_profile(call, name)) is not None:
            found.append([profile, weight])
    return found


async def list_trained(call: SdAwsCall) -> list[dict[str, Any]]:
    """The checkpoints that finished trainings have left."""
    records = await call.records.list_all("training")
    phases = [(await call.get_phase("training", r["task"]))[0] if r["task"] else Phase.PENDING for r in records]
    return [_build_checkpoint(r) for r, phase in zip(records, phases, strict=True) if phase is Phase.SUCCESS]


def _build_checkpoint(record: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"training": record["id"], "multipart_upload": {}}
    return {
        "id": record["id"],
        "type": "Lora",
        "s3_location": build_location(f"Lora/checkpoint/{record['id']}"),
        "status": "Active",
        "names": [record["file"]],
        "params": params,
        "created": record["created"],
    }


async def _load_profile(call: SdAwsCall, name: str) -> bytes | str | None:
    if name in BUILT_IN_STYLES:
        return name
    for record in await call.records.list_all("training"):
        if _strip_suffix(record["file"]) == name and record["task"]:
            view = await call.find_view("training", record["task"])
            if view is not None and view.phase is Phase.SUCCESS and view.outcome is not None and view.outcome.file:
                path = call.emulator.store.build_path(build_service_id("training"), record["task"], view.outcome.file)
                return await asyncio.to_thread(path.read_bytes)
    return None


def _strip_suffix(name: str) -> str:
    return name.rpartition(".")[0] or name
