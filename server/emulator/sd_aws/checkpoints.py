"""Checkpoints in v1.4 and later: the files of a deployment, uploaded in parts or fetched from links.

(contract: create_checkpoint, update_checkpoint, list_checkpoints, upload_checkpoint, paging.checkpoints)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws import checkpoint_links
from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.checkpoint_changes import NO_RIGHT, create_checkpoint, list_matching, set_state
from atelier_mcp.server.emulator.sd_aws.checkpoint_records import (
    check_names,
    format_record,
    format_row,
    get_record,
)
from atelier_mcp.server.emulator.sd_aws.errors import CRASHED, GatewayError, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.models import find_checkpoint
from atelier_mcp.server.emulator.sd_aws.object_store import IncompleteUploadError
from atelier_mcp.server.emulator.sd_aws.paging import get_newest_place, read_number
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user, may, sees

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

IN_PROGRESS: Final = "Checkpoint creation in progress, please check later"


def build_rows() -> list[CallRow]:
    """The calls of v1.4 and later."""
    return [
        CallRow(
            method="POST", path="/checkpoints", handler=create, form="create_checkpoint", right="checkpoint:create"
        ),
        CallRow(method="GET", path="/checkpoints", handler=list_page, is_gated=True, right="checkpoint:list"),
        CallRow(method="PUT", path="/checkpoints/{id}", handler=update, form="update_checkpoint"),
        CallRow(method="DELETE", path="/checkpoints", handler=delete, form="delete_checkpoints"),
    ]  # fmt: skip


async def create(call: SdAwsCall) -> Any:
    """Either file names, which are answered with links, or links, which are fetched in the background."""
    # Where both are given, the links win and the file names are ignored.
    if urls := call.read_texts("urls"):
        await check_names(call, map(checkpoint_links.parse_file_name, urls))
        await checkpoint_links.start_download(call, urls, await _find_creator_roles(call))
        return SdAwsApiResponse(None, 202, IN_PROGRESS)
    creator = await _get_creator(call) if call.version.has_authorizer else call.user
    record, links = await create_checkpoint(call, creator)
    paths = ("source_path", "target_path") if call.version.has_service_types else ()
    checkpoint = {**format_record(record), **{name: record[name] for name in paths}}
    return SdAwsApiResponse({"checkpoint": checkpoint, "s3PresignUrl": links}, 201, "Created")


async def update(call: SdAwsCall) -> Any:
    """Rename, or finish an upload, or set a state; shows the state before."""
    record = await get_record(call, call.path_id)
    if "name" in call.body:
        return await _rename(call, record, str(call.body["name"]))
    if "status" not in call.body:
        return SdAwsApiResponse()
    # Also for {}: any tag will do, of whatever file (contract: answered.checkpoint_tags).
    if not call.body.get("multi_parts_tags"):
        raise SdAwsHttpError(400, "multi parts tags is empty")
    try:
        await set_state(call, record)
    except IncompleteUploadError as err:
        raise SdAwsHttpError(call.version.other_status, str(err)) from err
    return SdAwsApiResponse({"checkpoint": format_record(record)})


async def list_page(call: SdAwsCall) -> Any:
    """One page by number, newest first."""
    try:
        number, size = read_number(call, "page", 1), read_number(call, "per_page", 10)
        caller = await _get_viewer(call, call.user)
        viewer = await _get_viewer(call, call.query["username"]) if "username" in call.query else caller
    except SdAwsHttpError as err:
        raise await _crash_in_list(call, err) from err
    matching = await list_matching(call)
    roles = call.read_query_list("roles")
    rows = [
        r for r in matching if sees(viewer, "checkpoint", r["roles"]) and (not roles or set(roles) & set(r["roles"]))
    ]
    # Zero is a number and passes above; it fails where `pages` is divided by it.
    if size == 0:
        raise _refuse_in_list(call, "division by zero")
    rows.sort(key=get_newest_place)
    page = [format_row(call.version, record) for record in rows[(number - 1) * size : number * size]]
    # One more than the full pages, whether anything is left for it or not (contract: paging.checkpoints).
    pages = len(rows) // size + 1 if matching else 0
    data = {"page": number, "per_page": size, "pages": pages, "total": len(rows), "checkpoints": page}
    return SdAwsApiResponse(data)


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    for checkpoint_id in call.read_texts("checkpoint_id_list"):
        record = await find_checkpoint(call, checkpoint_id)
        if record is None:
            continue
        if not await call.records.delete("checkpoint", checkpoint_id):  # a built-in one
            await call.records.put("checkpoint", checkpoint_id, {**record, "is_deleted": True})
    return SdAwsApiResponse(status=204)


async def _rename(call: SdAwsCall, record: dict[str, Any], name: str) -> SdAwsApiResponse:
    if record["status"] != "Active":
        raise SdAwsHttpError(400, "only active can update name")
    # Names are compared whole: a new one without an ending is free although a file of that stem exists.
    if record["names"] == [name]:
        return SdAwsApiResponse(message="no need to update")
    await check_names(call, [name])
    await call.records.put("checkpoint", record["id"], {**record, "names": [name]})
    return SdAwsApiResponse(None, 202, "rename is processing, please wait")


async def _get_creator(call: SdAwsCall) -> str:
    """Whom the body of v1.4 names; raises SdAwsHttpError for one who may not (contract: auth.acting_user)."""
    creator = str(call.body["params"].get("creator") or "")
    user = await find_user(call, creator)
    if creator and user is None:
        raise SdAwsHttpError(400, build_unknown(creator))
    if user is None or not may(user, "checkpoint:create"):
        raise SdAwsHttpError(400, NO_RIGHT)
    return creator


async def _find_creator_roles(call: SdAwsCall) -> list[str] | None:
    """The roles of whom ``params`` name, in every version; None for one who may not."""
    user = await find_user(call, str(read_object(call.body.get("params")).get("creator") or ""))
    return user["roles"] if user is not None and may(user, "checkpoint:create") else None


async def _get_viewer(call: SdAwsCall, name: str) -> dict[str, Any]:
    user = await find_user(call, name)
    if user is None:
        raise SdAwsHttpError(400, build_unknown(name))
    return user


async def _crash_in_list(call: SdAwsCall, error: SdAwsHttpError) -> Exception:
    """What v1.4 makes of a bad query: a crash, but a caller it does not know it tells."""
    if not call.version.crashes_to_502:
        return error
    is_caller = await find_user(call, call.user) is None
    return _refuse_in_list(call, error.message) if is_caller else GatewayError(502, CRASHED)


def _refuse_in_list(call: SdAwsCall, text: str) -> SdAwsHttpError:
    return SdAwsHttpError(400, text, data=text if call.version.crashes_to_502 else None)
