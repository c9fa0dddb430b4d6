"""Data sets: pictures to train on, one signed link each.

(contract: create_dataset, update_dataset, list_datasets, get_dataset_items)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import FILE_UPLOAD_S, PREVIEW_S, build_location

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow

STATES: Final = ("Initialed", "Enabled", "Disabled")
RESTFUL_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,19}")
MOST_FILES: Final = 500


def build_rows() -> list[CallRow]:
    """The calls of both generations; the files of a data set are at two paths, as printed."""
    return [
        ("2023", "POST", "/dataset", create),
        ("2023", "PUT", "/dataset", update),
        ("2023", "GET", "/datasets", list_all),
        ("2023", "GET", "/dataset/{name}/data", list_items),
        # As printed; literal paths are tried before it (get_dataset_items.path_prefix).
        ("2023", "GET", "/{name}/data", list_items),
        ("2024", "POST", "/datasets", create_restful),
        ("2024", "GET", "/datasets", list_restful),
        ("2024", "GET", "/datasets/{name}", list_items_restful),
        ("2024", "PUT", "/datasets/{name}", update_restful),
        ("2024", "POST", "/datasets/{name}/crop", crop),
        ("2024", "DELETE", "/datasets", delete),
    ]


async def create(call: SdAwsCall) -> Any:
    """Make a data set, anew when there is one of that name."""
    call.require("dataset_name", "content")
    links = await _create_record(call)
    presigned_links: Any = [{name: link} for name, link in links.items()] if call.switches.printed_uploads else links
    return {"statusCode": 200, "datasetName": call.read_text("dataset_name"), "s3PresignUrl": presigned_links}


async def update(call: SdAwsCall) -> Any:
    """Set a state."""
    record = await _update_record(call, call.read_text("dataset_name"))
    return {"statusCode": 200, "datasetName": record["id"], "status": record["status"]}


async def list_all(call: SdAwsCall) -> Any:
    """All data sets by state."""
    return {"statusCode": 200, "datasets": await _build_rows(call)}


async def list_items(call: SdAwsCall) -> Any:
    """The files of one."""
    record = await _get_record(call, call.request.path_params["name"])
    return {
        "statusCode": 200,
        "dataset_name": record["id"],
        **_build_row(record),
        "data": _build_items(call, record),
    }


async def create_restful(call: SdAwsCall) -> Any:
    """Make a data set."""
    call.require("dataset_name", "content", "creator", "prefix")
    if not RESTFUL_NAME.fullmatch(call.read_text("dataset_name")):
        raise SdAwsHttpError(400, "dataset_name must have 1 to 20 characters and begin with a letter")
    links = await _create_record(call)
    return SdAwsApiResponse({"datasetName": call.read_text("dataset_name"), "s3PresignUrl": links}, 201, "Created")


async def list_restful(call: SdAwsCall) -> Any:
    """All data sets."""
    return SdAwsApiResponse({"datasets": await _build_rows(call)})


async def list_items_restful(call: SdAwsCall) -> Any:
    """The files of one."""
    record = await _get_record(call, call.request.path_params["name"])
    return SdAwsApiResponse({"dataset_name": record["id"], **_build_row(record), "data": _build_items(call, record)})


async def update_restful(call: SdAwsCall) -> Any:
    """Set a state."""
    call.require("status")
    record = await _update_record(call, call.request.path_params["name"])
    return SdAwsApiResponse({"datasetName": record["id"], "status": record["status"]})


async def crop(call: SdAwsCall) -> Any:
    """Make a smaller copy: a new data set of the same pictures, as nothing here looks at their size."""
    call.require("max_resolution")
    size = call.read_text("max_resolution")
    if not re.fullmatch(r"\d{2,4}x\d{2,4}", size):
        raise SdAwsHttpError(400, "max_resolution must be like 512x512")
    record = await _get_record(call, call.request.path_params["name"])
    name = f"{record['id']}_{size}"
    await call.records.put("dataset", name, {**record, "created": call.now})
    return SdAwsApiResponse({"dataset_name": name}, 202, "Accepted")


async def delete(call: SdAwsCall) -> Any:
    """Delete by names; unknown ones are no error."""
    call.require("dataset_name_list")
    for name in call.read_texts("dataset_name_list", least=1, most=10):
        await call.records.delete("dataset", name)
    return SdAwsApiResponse(status=204)


async def _create_record(call: SdAwsCall) -> dict[str, str]:
    name, content = call.read_text("dataset_name"), call.read_objects("content")
    if not name or not 1 <= len(content) <= MOST_FILES:
        raise SdAwsHttpError(400, f"dataset_name and 1 to {MOST_FILES} files are needed")
    missing = [entry for entry in content if not {"filename", "name", "type"} <= set(entry)]
    if missing:
        raise SdAwsHttpError(500, "content: each needs filename, name and type")
    # Required by the code, not in the printed sample (create_dataset.missing_item_params).
    params: Any = call.body.get("params") or {}
    items = [{"filename": entry["filename"], "name": entry["name"], "type": entry["type"]} for entry in content]
    record = {"status": "Initialed", "items": items, "params": params, "created": call.now}
    await call.records.put("dataset", name, record)
    return {
        item["filename"]: call.objects.create_upload_link(
            build_key(name, item["filename"]), origin=call.origin, seconds=FILE_UPLOAD_S
        )
        for item in items
    }


async def _update_record(call: SdAwsCall, name: str) -> dict[str, Any]:
    state = call.read_text("status")
    if state not in STATES:
        raise SdAwsHttpError(400, f"status must be one of {', '.join(STATES)}")
    record = await _get_record(call, name)
    return await call.records.put("dataset", name, {**record, "status": state})


async def _build_rows(call: SdAwsCall) -> list[dict[str, Any]]:
    states = call.read_query_list("dataset_status")
    return [_build_row(r) for r in await call.records.list_all("dataset") if not states or r["status"] in states]


def _build_items(call: SdAwsCall, record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "key": item["filename"],
            "name": item["name"],
            "type": item["type"],
            "original_file_name": item["filename"],
            "preview_url": call.objects.create_download_link(
                build_key(record["id"], item["filename"]), origin=call.origin, seconds=PREVIEW_S
            ),
            "dataStatus": record["status"],
        }
        for item in record["items"]
    ]


async def _get_record(call: SdAwsCall, name: str) -> dict[str, Any]:
    record = await call.records.get("dataset", name)
    if record is None:
        raise SdAwsHttpError(404, f"dataset {name} is not found", key="errorMsg")
    return record


def build_key(name: str, filename: str) -> str:
    """Where a picture of a data set lies."""
    return f"dataset/{name}/{filename}"


def _build_row(record: dict[str, Any]) -> dict[str, Any]:
    return {
        **record["params"],
        "datasetName": record["id"],
        "s3": build_location(f"dataset/{record['id']}"),
        "status": record["status"],
        "timestamp": record["created"],
    }
