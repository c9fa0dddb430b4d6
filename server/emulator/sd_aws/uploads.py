"""Uploads: a signed link for one file, and files in parts as checkpoints and training bases have them.

(contract: create_checkpoint, update_checkpoint.etag_quotes)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.events import describe_keys
from atelier_mcp.server.emulator.sd_aws.forms import FILE_ITEM
from atelier_mcp.server.emulator.sd_aws.object_store import BUCKET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall


def read_files(call: SdAwsCall) -> list[tuple[str, int]]:
    """The names of the files of the body, and the number of parts of each; raises SdAwsHttpError."""
    status = call.version.other_status if call.version.is_legacy else 400
    entries: Any = call.body.get("filenames")
    if entries is None:
        raise SdAwsHttpError(status, "'NoneType' object is not iterable")
    files: list[tuple[str, int]] = []
    for entry in entries:
        if text := describe_keys(FILE_ITEM, entry):
            prefix = f"{FILE_ITEM.event}." if call.version.names_events else ""
            raise SdAwsHttpError(status, f"{prefix}__init__() {text}")
        # Where no model of the gateway looks into the entries (v1.3, bases of v1.4), the code counts with anything.
        if not isinstance(entry["parts_number"], int):
            raise SdAwsHttpError(status, 'can only concatenate str (not "int") to str')
        files.append((str(entry["filename"]), entry["parts_number"]))
    return files


def begin_uploads(
    call: SdAwsCall, files: list[tuple[str, int]], folder: str
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Begin an upload per file below a folder: what is noted of each, and the links of its parts."""
    entries: dict[str, Any] = {}
    links: dict[str, list[str]] = {}
    for name, parts in files:
        key = f"{folder}/{name}"
        upload_id, links[name] = call.objects.create_part_links(key, parts, origin=call.origin)
        entries[name] = {"upload_id": upload_id, "bucket": BUCKET, "key": key}
    return entries, links


async def complete_uploads(call: SdAwsCall, entries: Mapping[str, Any], tags: Mapping[str, Any]) -> None:
    """Put together what was uploaded, by the tags of the body; raises IncompleteUploadError.

    Tags of other names count for nothing (contract: answered.checkpoint_tags).
    """
    for name, upload in entries.items():
        # A null entry is a link that led nowhere.
        if upload is not None and tags.get(name):
            await call.objects.complete(upload["key"], upload["upload_id"], tags[name])
