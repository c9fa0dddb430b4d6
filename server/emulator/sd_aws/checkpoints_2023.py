"""Checkpoints in v1.3, and its lists of names in fixed folders.

(contract: create_checkpoint, update_checkpoint, list_checkpoints, upload_checkpoint, presign_upload)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws import checkpoint_links
from atelier_mcp.server.emulator.sd_aws.calls import CallRow
from atelier_mcp.server.emulator.sd_aws.checkpoint_changes import (
    NO_RIGHT,
    create_checkpoint,
    list_matching,
    set_state,
)
from atelier_mcp.server.emulator.sd_aws.checkpoint_records import HEADERS, format_record, format_row, get_record
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.forms import KINDS
from atelier_mcp.server.emulator.sd_aws.object_store import IncompleteUploadError
from atelier_mcp.server.emulator.sd_aws.paging import get_table_place
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user, get_user_or_crash, may, sees

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

FOLDERS: Final = {
    "get-texual-inversion-list": "texual_inversion",
    "get-lora-list": "lora",
    "get-hypernetwork-list": "hypernetwork",
    "get-controlnet-model-list": "controlnet",
}
# The text spells Controlnet, which is refused; ControlNet is right (contract: upload_checkpoint.type_case).
WRONG_KIND: Final = (
    "please choose the right type from :'Stable-diffusion', 'embeddings', 'Lora', 'hypernetworks', 'Controlnet', 'VAE'"
)


def build_rows() -> list[CallRow]:
    """The calls of v1.3."""
    old = ("1.3",)
    return [
        *(
            CallRow(method="GET", path=f"/inference/{path}", handler=_build_names_handler(folder), versions=old)
            for path, folder in FOLDERS.items()
        ),
        CallRow(method="GET", path="/inference/generate-s3-presigned-url-for-uploading", handler=presign, versions=old),
        CallRow(method="POST", path="/checkpoint", handler=create, versions=old, form="create_checkpoint"),
        CallRow(method="PUT", path="/checkpoint", handler=update, versions=old, form="update_checkpoint"),
        CallRow(method="POST", path="/upload_checkpoint", handler=fetch, versions=old, form="fetch_checkpoint"),
        CallRow(method="GET", path="/checkpoints", handler=list_all, versions=old, is_gated=True),
    ]


async def create(call: SdAwsCall) -> Any:
    """Register files and hand out links for their parts."""
    await _check_creator(call)
    if not call.body["filenames"]:
        raise SdAwsHttpError(400, "no checkpoint name (file names) detected", key="errorMsg", more=HEADERS)
    try:
        record, links = await create_checkpoint(call, str(call.body["params"]["creator"]))
    except SdAwsHttpError as err:
        raise SdAwsHttpError(err.status, err.message, more=HEADERS) from err
    return {"statusCode": 200, **HEADERS, "checkpoint": format_record(record), "s3PresignUrl": links}


async def update(call: SdAwsCall) -> Any:
    """Finish an upload, or set another state; shows the state before."""
    record = await get_record(call, str(call.body["checkpoint_id"]))
    try:
        await set_state(call, record)
    except (SdAwsHttpError, IncompleteUploadError) as err:
        raise SdAwsHttpError(500, str(err), key="msg", more=HEADERS) from err
    return {"statusCode": 200, **HEADERS, "checkpoint": format_record(record)}


async def fetch(call: SdAwsCall) -> Any:
    """Take files from links into one record; they are there when this answers (upload_checkpoint.long_call)."""
    await _check_creator(call)
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


async def list_all(call: SdAwsCall) -> Any:
    """All checkpoints a user sees, by state and kind; never in pages."""
    viewer = await get_user_or_crash(call, call.query.get("username") or call.user)
    # The user of the query decides what is seen, but the caller must exist, too.
    await get_user_or_crash(call, call.user)
    records = sorted(await list_matching(call), key=get_table_place)
    rows = [format_row(call.version, r) for r in records if sees(viewer, "checkpoint", r["roles"])]
    return {"statusCode": 200, "checkpoints": rows}


async def presign(call: SdAwsCall) -> Any:
    """A link that takes one file, as a bare string."""
    key = call.query.get("key")
    if not key:
        # One of the few calls with a real status (presign_upload.key_required).
        raise SdAwsHttpError(400, "Key parameter is required")
    # The lists of the fixed folders are made of these; a link nobody used is left out there.
    await call.records.put("upload", key, {"created": call.now})
    return call.objects.create_upload_link(key, origin=call.origin)


async def _check_creator(call: SdAwsCall) -> None:
    creator = call.body["params"].get("creator")
    if not creator:
        raise SdAwsHttpError(400, NO_RIGHT, more=HEADERS)
    user = await find_user(call, str(creator))
    if user is None:
        raise SdAwsHttpError(500, build_unknown(str(creator)), more=HEADERS)
    if not may(user, "checkpoint:create"):
        raise SdAwsHttpError(400, NO_RIGHT, more=HEADERS)


def _build_names_handler(folder: str) -> Any:
    async def list_names(call: SdAwsCall) -> Any:
        """The files of a fixed folder, which are no checkpoints (list_loras.two_catalogues)."""
        keys = [record["id"] for record in await call.records.list_all("upload")]
        inside = [key for key in keys if key.startswith(f"{folder}/") and call.objects.build_path(key).is_file()]
        return [key.removeprefix(f"{folder}/") for key in inside]

    return list_names
