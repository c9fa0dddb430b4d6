"""Checkpoints: the files of a deployment, uploaded in parts or fetched from links, and their lists.

(contract: create_checkpoint, update_checkpoint, list_checkpoints, upload_checkpoint, paging.checkpoints)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws import checkpoint_links
from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.checkpoint_records import (
    HEADERS,
    STATES,
    check_names,
    format_record,
    format_row,
    get_record,
)
from atelier_mcp.server.emulator.sd_aws.checkpoint_shape import build_folder, build_record
from atelier_mcp.server.emulator.sd_aws.errors import CRASHED, GatewayError, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.forms import KINDS
from atelier_mcp.server.emulator.sd_aws.models import find_checkpoint, list_checkpoints
from atelier_mcp.server.emulator.sd_aws.object_store import IncompleteUploadError
from atelier_mcp.server.emulator.sd_aws.paging import get_newest_place, get_table_place, read_number
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user, get_user_or_crash, may, sees
from atelier_mcp.server.emulator.sd_aws.uploads import begin_uploads, complete_uploads, read_files

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

FOLDERS: Final = {
    "get-texual-inversion-list": "texual_inversion",
    "get-lora-list": "lora",
    "get-hypernetwork-list": "hypernetwork",
    "get-controlnet-model-list": "controlnet",
}
NO_RIGHT: Final = "user has no permissions to create a model"
IN_PROGRESS: Final = "Checkpoint creation in progress, please check later"
WRONG_KIND: Final = (
    "please choose the right type from :'Stable-diffusion', 'embeddings', 'Lora', 'hypernetworks', 'Controlnet', 'VAE'"
)


def build_rows() -> list[CallRow]:
    """The calls of all versions."""
    old = ("1.3",)
    return [
        *(
            CallRow(method="GET", path=f"/inference/{path}", handler=_build_names_handler(folder), versions=old)
            for path, folder in FOLDERS.items()
        ),
        CallRow(
            method="GET", path="/inference/generate-s3-presigned-url-for-uploading", handler=presign, versions=old
        ),
        CallRow(method="POST", path="/checkpoint", handler=create_2023, versions=old, form="create_checkpoint"),
        CallRow(method="PUT", path="/checkpoint", handler=update_2023, versions=old, form="update_checkpoint"),
        CallRow(method="POST", path="/upload_checkpoint", handler=fetch_2023, versions=old, form="fetch_checkpoint"),
        CallRow(method="GET", path="/checkpoints", handler=list_2023, versions=old, is_gated=True),
        CallRow(
            method="POST", path="/checkpoints", handler=create, form="create_checkpoint", right="checkpoint:create"
        ),
        CallRow(method="GET", path="/checkpoints", handler=list_page, is_gated=True, right="checkpoint:list"),
        CallRow(method="PUT", path="/checkpoints/{id}", handler=update, form="update_checkpoint"),
        CallRow(method="DELETE", path="/checkpoints", handler=delete, form="delete_checkpoints"),
    ]  # fmt: skip


async def create_2023(call: SdAwsCall) -> Any:
    """Register files and hand out links for their parts."""
    await _check_creator_2023(call)
    if not call.body["filenames"]:
        raise SdAwsHttpError(400, "no checkpoint name (file names) detected", key="errorMsg", more=HEADERS)
    try:
        record, links = await _create(call, str(call.body["params"]["creator"]))
    except SdAwsHttpError as err:
        raise SdAwsHttpError(err.status, err.message, more=HEADERS) from err
    return {"statusCode": 200, **HEADERS, "checkpoint": format_record(record), "s3PresignUrl": links}


async def update_2023(call: SdAwsCall) -> Any:
    """Finish an upload, or set another state; shows the state before."""
    record = await get_record(call, str(call.body["checkpoint_id"]))
    try:
        await _set_state(call, record)
    except (SdAwsHttpError, IncompleteUploadError) as err:
        raise SdAwsHttpError(500, str(err), key="msg", more=HEADERS) from err
    return {"statusCode": 200, **HEADERS, "checkpoint": format_record(record)}


async def fetch_2023(call: SdAwsCall) -> Any:
    """Take files from links into one record; they are there when this answers (upload_checkpoint.long_call)."""
    await _check_creator_2023(call)
    kind, links = call.body["checkpointType"], call.read_texts("modelUrl")
    if kind not in KINDS:
        raise SdAwsHttpError(500, WRONG_KIND, more=HEADERS)
    if invalid := checkpoint_links.list_invalid(links):
        raise SdAwsHttpError(500, f"contains invalid urls:{invalid}", more=HEADERS)
    user = await get_user_or_crash(call, str(call.body["params"]["creator"]))
    checkpoint_id, record = await checkpoint_links.fetch_record(
        call.emulator, call.objects, kind=kind, links=links, params=call.body["params"], roles=user["roles"]
    )
    record = await call.records.put("checkpoint", checkpoint_id, record)
    return {"statusCode": 200, **HEADERS, "checkpoint": format_record(record)}


async def list_2023(call: SdAwsCall) -> Any:
    """All checkpoints a user sees, by state and kind; never in pages."""
    viewer = await get_user_or_crash(call, call.query.get("username") or call.user)
    await get_user_or_crash(call, call.user)
    records = sorted(await _list_matching(call), key=get_table_place)
    rows = [format_row(call.version, r) for r in records if sees(viewer, "checkpoint", r["roles"])]
    return {"statusCode": 200, "checkpoints": rows}


async def presign(call: SdAwsCall) -> Any:
    """A link that takes one file, as a bare string."""
    key = call.query.get("key")
    if not key:
        # One of the few calls with a real status (presign_upload.key_required).
        raise SdAwsHttpError(400, "Key parameter is required")
    await call.records.put("upload", key, {"created": call.now})
    return call.objects.create_upload_link(key, origin=call.origin)


async def create(call: SdAwsCall) -> Any:
    """Either file names, which are answered with links, or links, which are fetched in the background."""
    if urls := call.read_texts("urls"):
        await check_names(call, map(checkpoint_links.parse_file_name, urls))
        await checkpoint_links.start_download(call, urls, await _find_creator_roles(call))
        return SdAwsApiResponse(None, 202, IN_PROGRESS)
    creator = call.user if call.version.has_pages else await _get_creator(call)
    record, links = await _create(call, creator)
    paths = ("source_path", "target_path") if call.version.has_debug else ()
    checkpoint = {**format_record(record), **{name: record[name] for name in paths}}
    return SdAwsApiResponse({"checkpoint": checkpoint, "s3PresignUrl": links}, 201, "Created")


async def update(call: SdAwsCall) -> Any:
    """Rename, or finish an upload, or set a state; shows the state before."""
    record = await get_record(call, call.path_id)
    if "name" in call.body:
        return await _rename(call, record, str(call.body["name"]))
    if "status" not in call.body:
        return SdAwsApiResponse()
    if not call.body.get("multi_parts_tags"):
        raise SdAwsHttpError(400, "multi parts tags is empty")
    try:
        await _set_state(call, record)
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
    matching = await _list_matching(call)
    roles = call.read_query_list("roles")
    rows = [
        r for r in matching if sees(viewer, "checkpoint", r["roles"]) and (not roles or set(roles) & set(r["roles"]))
    ]
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


async def _create(call: SdAwsCall, creator: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    kind, params = str(call.body["checkpoint_type"]), call.body["params"]
    user = await get_user_or_crash(call, creator)
    files = read_files(call)
    if not call.version.is_legacy:
        await check_names(call, [name for name, _ in files])
    checkpoint_id = call.create_id()
    folder = _choose_folder(call, kind, checkpoint_id)
    entries, links = begin_uploads(call, files, folder)
    names = [name for name, _ in files]
    record = build_record(kind=kind, folder=folder, names=names, params=params, now=call.now, roles=user["roles"])
    record["params"] |= {"multipart_upload": entries, "creator": creator}
    record |= {name: call.body.get(name) for name in ("source_path", "target_path")}
    return await call.records.put("checkpoint", checkpoint_id, record), links


def _choose_folder(call: SdAwsCall, kind: str, checkpoint_id: str) -> str:
    if kind != "Comfy" or call.version.is_legacy:
        return build_folder(kind, checkpoint_id)
    source, target = call.body.get("source_path"), call.body.get("target_path")
    if not source or not target:
        raise SdAwsHttpError(400, "Please check your source_path or target_path of the checkpoints")
    return str(source)


async def _set_state(call: SdAwsCall, record: dict[str, Any]) -> None:
    state = call.body["status"]
    if state not in STATES:
        raise SdAwsHttpError(call.version.other_status, repr(state))
    entries = read_object(read_object(record["params"]).get("multipart_upload"))
    if state == "Active":
        await complete_uploads(call, entries, call.body["multi_parts_tags"])
    await call.records.put("checkpoint", record["id"], {**record, "status": state})


async def _rename(call: SdAwsCall, record: dict[str, Any], name: str) -> SdAwsApiResponse:
    if record["status"] != "Active":
        raise SdAwsHttpError(400, "only active can update name")
    if record["names"] == [name]:
        return SdAwsApiResponse(message="no need to update")
    await check_names(call, [name])
    await call.records.put("checkpoint", record["id"], {**record, "names": [name]})
    return SdAwsApiResponse(None, 202, "rename is processing, please wait")


async def _check_creator_2023(call: SdAwsCall) -> None:
    creator = call.body["params"].get("creator")
    if not creator:
        raise SdAwsHttpError(400, NO_RIGHT, more=HEADERS)
    user = await find_user(call, str(creator))
    if user is None:
        raise SdAwsHttpError(500, build_unknown(str(creator)), more=HEADERS)
    if not may(user, "checkpoint:create"):
        raise SdAwsHttpError(400, NO_RIGHT, more=HEADERS)


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


async def _list_matching(call: SdAwsCall) -> list[dict[str, Any]]:
    """By state and kind, both compared as written."""
    states, kinds = call.read_query_list("status"), call.read_query_list("types")
    records = await list_checkpoints(call)
    return [r for r in records if (not states or r["status"] in states) and (not kinds or r["type"] in kinds)]


async def _get_viewer(call: SdAwsCall, name: str) -> dict[str, Any]:
    user = await find_user(call, name)
    if user is None:
        raise SdAwsHttpError(400, build_unknown(name))
    return user


async def _crash_in_list(call: SdAwsCall, error: SdAwsHttpError) -> Exception:
    """What v1.4 makes of a bad query: a crash, but a caller it does not know it tells."""
    if call.version.has_pages:
        return error
    is_caller = await find_user(call, call.user) is None
    return _refuse_in_list(call, error.message) if is_caller else GatewayError(502, CRASHED)


def _refuse_in_list(call: SdAwsCall, text: str) -> SdAwsHttpError:
    return SdAwsHttpError(400, text, data=None if call.version.has_pages else text)


def _build_names_handler(folder: str) -> Any:
    async def list_names(call: SdAwsCall) -> Any:
        """The files of a fixed folder, which are no checkpoints (list_loras.two_catalogues)."""
        keys = [record["id"] for record in await call.records.list_all("upload")]
        inside = [key for key in keys if key.startswith(f"{folder}/") and call.objects.build_path(key).is_file()]
        return [key.removeprefix(f"{folder}/") for key in inside]

    return list_names
