"""A checkpoint on record: looked up and told, for the calls of all versions.

(contract: create_checkpoint, update_checkpoint, list_checkpoints)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.models import find_checkpoint, list_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion

STATES: Final = ("Initial", "Active", "Disabled")
HEADERS: Final = {
    "headers": {
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "OPTIONS,POST,GET",
    }
}
"""What stands inside the checkpoint bodies of v1.3 (contract: conventions.envelope.styles.statusCode)."""


async def check_names(call: SdAwsCall, names: Iterable[str]) -> None:
    """Refuse a file name that exists already, of whatever kind and state; raises SdAwsHttpError."""
    known = {name for record in await list_checkpoints(call) for name in record["names"] or ()}
    for name in names:
        if name in known:
            raise SdAwsHttpError(400, f"{name} already exists, please use another or rename/delete exists")


async def get_record(call: SdAwsCall, checkpoint_id: str) -> dict[str, Any]:
    """The checkpoint of that id; raises SdAwsHttpError."""
    record = await find_checkpoint(call, checkpoint_id)
    if record is None:
        status = 500 if call.version.is_legacy else 404
        raise SdAwsHttpError(status, f"checkpoint not found with id {checkpoint_id}", more=HEADERS)
    return record


def format_record(record: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint as the calls that change it answer it."""
    return {name: record[name] for name in ("id", "type", "s3_location", "status", "params")}


def format_row(version: DeployedVersion, record: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint as lists have it, its location spelled otherwise (list_checkpoints.key_spelling)."""
    created = record["created"]
    row: dict[str, Any] = {
        "id": record["id"],
        "s3Location": record["s3_location"],
        "type": record["type"],
        "status": record["status"],
        "name": record["names"],
        "created": created if version.is_legacy else str(created),
        "allowed_roles_or_users": record["roles"],
    }
    if not version.is_legacy:
        row["params"] = record["params"]
    if version.has_service_types:
        row |= {"source_path": record["source_path"], "target_path": record["target_path"]}
    return row
