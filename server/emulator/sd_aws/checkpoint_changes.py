"""What is done to checkpoints by the calls of all versions: made, set to a state, and found by state and kind.

(contract: create_checkpoint, update_checkpoint, list_checkpoints)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.checkpoint_records import STATES, check_names
from atelier_mcp.server.emulator.sd_aws.checkpoint_shape import build_folder, build_record
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.models import list_checkpoints
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.people import get_user_or_crash
from atelier_mcp.server.emulator.sd_aws.uploads import begin_uploads, complete_uploads, read_files

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

NO_RIGHT: Final = "user has no permissions to create a model"


async def create_checkpoint(call: SdAwsCall, creator: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """A new checkpoint of the body's files, and the links of their parts; raises SdAwsHttpError."""
    kind, params = str(call.body["checkpoint_type"]), call.body["params"]
    user = await get_user_or_crash(call, creator)
    files = read_files(call)
    # v1.3 takes a file name that exists already.
    if not call.version.is_legacy:
        await check_names(call, [name for name, _ in files])
    checkpoint_id = call.create_id()
    folder = _choose_folder(call, kind, checkpoint_id)
    entries, links = begin_uploads(call, files, folder)
    names = [name for name, _ in files]
    record = build_record(kind=kind, folder=folder, names=names, params=params, now=call.now, roles=user["roles"])
    # After the caller's own params, which may have a creator that v1.5 and later do not believe
    # (contract: auth.acting_user).
    record["params"] |= {"multipart_upload": entries, "creator": creator}
    record |= {name: call.body.get(name) for name in ("source_path", "target_path")}
    return await call.records.put("checkpoint", checkpoint_id, record), links


def _choose_folder(call: SdAwsCall, kind: str, checkpoint_id: str) -> str:
    if kind != "Comfy" or call.version.is_legacy:
        return build_folder(kind, checkpoint_id)
    source, target = call.body.get("source_path"), call.body.get("target_path")
    if not source or not target:
        raise SdAwsHttpError(400, "Please check your source_path or target_path of the checkpoints")
    # The key in storage follows source_path.
    return str(source)


async def set_state(call: SdAwsCall, record: dict[str, Any]) -> None:
    """Set the state of the body, an upload finished where that is Active.

    Raises SdAwsHttpError for a state there is not, IncompleteUploadError for parts that are missing.
    """
    state = call.body["status"]
    if state not in STATES:
        # The whole message is the quoted word: what is left of a KeyError in the code.
        raise SdAwsHttpError(call.version.other_status, repr(state))
    entries = read_object(read_object(record["params"]).get("multipart_upload"))
    # Also for one that is Active already: a second finish was accepted.
    if state == "Active":
        await complete_uploads(call, entries, call.body["multi_parts_tags"])
    await call.records.put("checkpoint", record["id"], {**record, "status": state})


async def list_matching(call: SdAwsCall) -> list[dict[str, Any]]:
    """By state and kind, both compared as written."""
    states, kinds = call.read_query_list("status"), call.read_query_list("types")
    records = await list_checkpoints(call)
    return [r for r in records if (not states or r["status"] in states) and (not kinds or r["type"] in kinds)]
