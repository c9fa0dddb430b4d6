"""Checkpoints taken from links: within the call in v1.3, in the background since v1.4.

(contract: upload_checkpoint, answered.checkpoints_by_link)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.links import parse_encoded_name
from atelier_mcp.server.emulator.sd_aws.checkpoint_shape import build_folder, build_record
from atelier_mcp.server.emulator.sd_aws.object_store import BUCKET
from atelier_mcp.server.emulator.sd_aws.record_store import RecordStore, create_id
from atelier_mcp.server.emulator.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

SUFFIXES: Final = (".pt", ".pth", ".ckpt", ".safetensors", ".yaml")
MOST_LINKED_BYTES: Final = 4 << 30


def parse_file_name(link: str) -> str:
    """The name of the file behind a link."""
    return unquote(parse_encoded_name(link))


def list_invalid(links: Sequence[str]) -> list[str]:
    """The links to files that are no models, by their names."""
    return [link for link in links if not parse_file_name(link).endswith(SUFFIXES)]


async def fetch_record(
    emulator: EmulatorState,
    objects: ObjectStore,
    *,
    kind: str,
    links: Sequence[str],
    params: dict[str, Any],
    roles: list[str],
) -> tuple[str, dict[str, Any]]:
    """Id and record of a checkpoint with the files of some links; a file that cannot be had has no upload entry."""
    checkpoint_id = create_id(emulator)
    folder = build_folder(kind, checkpoint_id)
    names = [parse_file_name(link) for link in links]
    now = emulator.clock.now()
    record = build_record(kind=kind, folder=folder, names=names, params=params, now=now, roles=roles)
    entries = {parse_file_name(link): await _store(emulator, objects, f"{folder}/", link) for link in links}
    record["params"]["multipart_upload"] = entries
    # Active even when nothing could be fetched: only the null entry tells (contract: answered.checkpoints_by_link).
    return checkpoint_id, {**record, "status": "Active"}


async def start_download(call: SdAwsCall, links: Sequence[str], roles: list[str] | None) -> None:
    """Have the links fetched in the background; who may not make checkpoints has no ``roles`` and gets none."""
    arguments: dict[str, Any] = {
        "kind": call.body["checkpoint_type"],
        "links": list(links),
        "params": call.body.get("params") or {},
        "roles": roles,
    }
    # No time of its own: it lasts as long as the transfer.
    await call.start_task("download", call.create_id(), EngineTask("", arguments), seconds=0)


def build_downloader(
    emulator: EmulatorState, objects: ObjectStore
) -> Callable[[TaskRecord, dict[str, Any]], Awaitable[dict[str, Any]]]:
    """What fetches links in the background: one record per link, none for a file that is no model."""

    async def download(task: TaskRecord, arguments: dict[str, Any]) -> dict[str, Any]:
        links, roles = arguments["links"], arguments["roles"]
        if roles is None or list_invalid(links):
            return {}
        records = RecordStore(emulator, task.account)
        for link in links:
            checkpoint_id, record = await fetch_record(
                emulator, objects, kind=arguments["kind"], links=[link], params=arguments["params"], roles=roles
            )
            await records.put("checkpoint", checkpoint_id, record)
        return {}

    return download


async def _store(emulator: EmulatorState, objects: ObjectStore, folder: str, link: str) -> dict[str, str] | None:
    key = f"{folder}{parse_file_name(link)}"
    try:
        data = await emulator.sources.fetch_file(link, most_bytes=MOST_LINKED_BYTES)
    except SourceError:
        return None
    await objects.store(key, data)
    return {"uploadId": create_id(emulator), "key": key, "bucket": BUCKET}
