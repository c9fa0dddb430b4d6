"""Data sets: pictures to train on and their captions, one signed link each.

(contract: create_dataset, update_dataset, list_datasets, get_dataset_items, answered.crop)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.events import check_keys
from atelier_mcp.server.emulator.sd_aws.forms import DATASET_ITEM
from atelier_mcp.server.emulator.sd_aws.object_store import FILE_UPLOAD_S, PREVIEW_S, build_location
from atelier_mcp.server.emulator.sd_aws.paging import get_name_place, read_page
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.people import get_user, get_user_or_crash, may

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

STATES: Final = ("Initialed", "Enabled", "Disabled")
TRAIN: Final = "train:all"
REFUSED_BATCH: Final = "An error occurred (ValidationException) when calling the BatchWriteItem operation: "
EMPTY_BATCH: Final = (
    "Parameter validation failed:\nInvalid length for parameter RequestItems.DatasetItemTable, value: 0, valid min "
    "length: 1"
)


def build_rows() -> list[CallRow]:
    """The calls of all versions."""
    old = ("1.3",)
    return [
        CallRow(method="POST", path="/dataset", handler=create, versions=old, form="create_dataset"),
        CallRow(method="PUT", path="/dataset", handler=update_2023, versions=old, form="update_dataset"),
        CallRow(
            method="GET", path="/datasets", handler=list_all, is_gated=True, right=TRAIN,
            versions=("1.3", "1.4", "1.5", "1.7"),
        ),
        CallRow(method="GET", path="/dataset/{id}/data", handler=list_items, versions=old, is_gated=True),
        CallRow(method="POST", path="/datasets", handler=create, form="create_dataset", right=TRAIN),
        CallRow(method="GET", path="/datasets/{id}", handler=list_items, is_gated=True, right=TRAIN),
        CallRow(method="PUT", path="/datasets/{id}", handler=update, form="update_dataset", right=TRAIN),
        CallRow(
            method="POST", path="/datasets/{id}/crop", handler=crop, versions=("1.7",), form="crop_dataset",
            right=TRAIN,
        ),
        CallRow(method="DELETE", path="/datasets", handler=delete, form="delete_datasets"),
    ]  # fmt: skip


async def create(call: SdAwsCall) -> Any:
    """Make a data set; one of that name is begun anew, and keeps the files it had."""
    name, content = str(call.body["dataset_name"]), call.body["content"]
    # The gateway's model does not look into the entries, so the code stumbles over each by itself.
    for entry in content:
        check_keys(call.version, "create_dataset", DATASET_ITEM, entry)
    await _check_creator(call)
    old = await call.records.get("dataset", name)
    record: dict[str, Any] = {
        "status": "Initialed", "params": call.body["params"], "created": call.now, "items": old["items"] if old else [],
        "prefix": str(call.body.get("prefix") or "").strip("/"),
    }  # fmt: skip
    if call.version.keeps_refused_rows:  # whether its files are taken or not
        await call.records.put("dataset", name, record)
    _check_batch(call, content)
    # What was there stays, and the new files come after it: so it was answered.
    record["items"] = [*record["items"], *(_build_item(call, record, entry) for entry in content)]
    record = await call.records.put("dataset", name, record)
    names = [str(entry["filename"]) for entry in content]
    links = {
        filename: call.objects.create_upload_link(
            build_key(record, filename), origin=call.origin, seconds=FILE_UPLOAD_S
        )
        for filename in names
    }
    data = {"datasetName": name, "s3PresignUrl": links}
    return {"statusCode": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data, 201, "Created")


async def update_2023(call: SdAwsCall) -> Any:
    """Set a state."""
    return {"statusCode": 200, **(await _set_state(call, str(call.body["dataset_name"])))}


async def update(call: SdAwsCall) -> Any:
    """Set a state."""
    return SdAwsApiResponse(await _set_state(call, call.path_id))


async def list_all(call: SdAwsCall) -> Any:
    """Data sets by state."""
    await _check_viewer(call, 400, "user has no permission to train")
    # Paged first and filtered after it: a page may come out empty with a key (contract: paging.keys).
    page, last = read_page(call, await call.records.list_all("dataset"), get_name_place)
    states = call.read_query_list("dataset_status")
    rows = [_build_row(call, record) for record in page if not states or record["status"] in states]
    if call.version.is_legacy:
        return {"statusCode": 200, "datasets": rows}
    if not call.version.has_pages or (not page and call.version.drops_key_of_nothing):
        return SdAwsApiResponse({"datasets": rows})
    return SdAwsApiResponse({"datasets": rows, "last_evaluated_key": last})


async def list_items(call: SdAwsCall) -> Any:
    """The files of one."""
    if call.version.is_legacy and await call.records.get("dataset", call.path_id) is None:
        raise SdAwsHttpError(500, "path parameter /dataset/{dataset_name}/ are not found")
    record = await _get_record(call, call.path_id)
    await _check_viewer(call, 403, "no permission to view dataset")
    items = [_build_item_row(call, record, item) for item in record["items"]]
    # The name stands there twice, also as datasetName (contract: get_dataset_items).
    data = {"dataset_name": record["id"], **_build_row(call, record), "data": items}
    if call.version.has_folder_prefix:
        data["prefix"] = record["prefix"]
    return {"statusCode": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data)


async def crop(call: SdAwsCall) -> Any:
    """A copy, enabled at once, of the same pictures and captions: nothing here looks at their size."""
    record = await _get_record(call, call.path_id)
    name = f"{record['id']}_{call.body['max_resolution']}"
    if await call.records.get("dataset", name) is not None:
        raise SdAwsHttpError(400, f"dataset {name} already exists")
    items: list[dict[str, Any]] = [{**item, "status": "Enabled", "is_original": False} for item in record["items"]]
    copy = await call.records.put("dataset", name, {**record, "id": name, "created": call.now, "items": items})
    copy = await call.records.put("dataset", name, {**copy, "status": "Enabled"})
    for item in items:
        await call.objects.copy(build_key(record, item["filename"]), build_key(copy, item["filename"]))
    return SdAwsApiResponse({"dataset_name": name}, 202, "Accepted")


async def delete(call: SdAwsCall) -> Any:
    """Delete by names; unknown ones are no error."""
    for name in call.read_texts("dataset_name_list"):
        await call.records.delete("dataset", name)
    return SdAwsApiResponse(status=204)


def build_key(record: dict[str, Any], filename: str) -> str:
    """Where a file of a data set lies."""
    return f"{_build_folder(record)}/{filename}"


def _build_folder(record: dict[str, Any]) -> str:
    return f"dataset/{record['id']}/{record['prefix']}".rstrip("/")


def _build_item(call: SdAwsCall, record: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """A file on record; ``moment`` makes its key, ``is_original`` tells it from a copy."""
    names = {name: str(entry[name]) for name in ("filename", "name", "type")}
    return {**names, "status": record["status"], "moment": call.now, "is_original": True}


def _build_item_row(call: SdAwsCall, record: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    link = call.objects.create_download_link(build_key(record, item["filename"]), origin=call.origin, seconds=PREVIEW_S)
    row = {
        "key": f"{item['moment']}_{item['filename']}", "name": item["name"], "type": item["type"],
        "preview_url": link, "dataStatus": item["status"],
    }  # fmt: skip
    return {**row, "original_file_name": item["filename"]} if item["is_original"] else row


def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    return {
        **read_object(record["params"]),
        "datasetName": record["id"],
        "s3": build_location(_build_folder(record)),
        "status": record["status"],
        "timestamp": call.format_epoch(record["created"]),
    }


async def _set_state(call: SdAwsCall, name: str) -> dict[str, str]:
    """Name and state of a set after its change; its files follow it."""
    record, state = await _get_record(call, name), call.body["status"]
    if state not in STATES:
        raise SdAwsHttpError(call.version.other_status, repr(state))
    items = [{**item, "status": state} for item in record["items"]]
    await call.records.put("dataset", name, {**record, "status": state, "items": items})
    return {"datasetName": name, "status": state}


def _check_batch(call: SdAwsCall, content: list[Any]) -> None:
    """Refuse what the table of files does not take at once; raises SdAwsHttpError."""
    names = [entry["filename"] for entry in content]
    text = ""
    if not names:
        text = EMPTY_BATCH
    elif len(names) > call.version.most_files:
        text = f"{REFUSED_BATCH}Too many items requested for the BatchWriteItem call"
    elif len(set(names)) < len(names):
        text = f"{REFUSED_BATCH}Provided list of item keys contains duplicates"
    if text:
        raise SdAwsHttpError(call.version.other_status, f"{call.version.batch_failure}{text}")


async def _get_record(call: SdAwsCall, name: str) -> dict[str, Any]:
    record = await call.records.get("dataset", name)
    if record is None:
        raise SdAwsHttpError(404, f"dataset {name} is not found", key="errorMsg")
    return record


async def _check_creator(call: SdAwsCall) -> None:
    """Before v1.5 whom the body names must exist, after it nobody looks (contract: auth.acting_user)."""
    if call.version.has_authorizer:
        await get_user(call, str(call.body["creator"]), status=call.version.other_status)


async def _check_viewer(call: SdAwsCall, status: int, text: str) -> None:
    """Before v1.5 the code knows a right of its own for looking; later the rights were looked at before."""
    if not call.version.has_authorizer:
        return
    find = get_user_or_crash if call.version.is_legacy else get_user
    if not may(await find(call, call.user), TRAIN):
        raise SdAwsHttpError(status, text)
