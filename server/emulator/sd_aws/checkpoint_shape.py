"""A new checkpoint's record and where its files lie, for uploads, links and trainings alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.calls import format_time
from atelier_mcp.server.emulator.sd_aws.object_store import build_location

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_folder(kind: str, checkpoint_id: str) -> str:
    """Where the files of a checkpoint lie."""
    return f"{kind}/checkpoint/custom/{checkpoint_id}"


def build_record(
    *, kind: str, folder: str, names: list[str] | None, params: Mapping[str, Any] | None, now: float, roles: list[str]
) -> dict[str, Any]:
    """A checkpoint whose files are still to come; those of trainings have no ``params``.

    ``roles`` are who sees it: those of its maker.
    """
    return {
        "type": kind,
        "s3_location": build_location(folder),
        "status": "Initial",
        "names": names,
        "params": None if params is None else {**params, "created": format_time(now)},
        "created": now,
        "roles": roles,
        "source_path": None,
        "target_path": None,
    }
