"""Checkpoints: the files of a deployment, uploaded in parts or fetched from links; lists of their names; their merge.

(contract: create_checkpoint, update_checkpoint, list_checkpoints, upload_checkpoint, run_model_merge)
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, format_time
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.models import list_active, list_built_in, list_trained, parse_kind
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.parameters import read_query_integer
from atelier_mcp.server.emulator.sd_aws.uploads import MOST_PARTS, begin_uploads, complete_uploads
from atelier_mcp.server.emulator.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.sd_aws.calls import CallRow

STATES: Final = ("Initial", "Active", "Disabled")
NAME_LISTS: Final = {
    "get-texual-inversion-list": "embeddings",
    "get-lora-list": "Lora",
    "get-hypernetwork-list": "hypernetworks",
    "get-controlnet-model-list": "ControlNet",
}
MERGED_NAMES: Final = ("primary_model_name", "secondary_model_name", "tertiary_model_name")
SUFFIXES: Final = (".pt", ".pth", ".ckpt", ".safetensors", ".yaml")
MOST_LINKED_BYTES: Final = 4 << 30
MOST_PARTS_RESTFUL: Final = 100


def build_rows() -> list[CallRow]:
    """The calls of both generations."""
    return [
        *(("2023", "GET", f"/inference/{path}", _build_names_handler(kind)) for path, kind in NAME_LISTS.items()),
        ("2023", "POST", "/inference/run-model-merge", merge_models),
        ("2023", "POST", "/checkpoint", create),
        ("2023", "GET", "/checkpoint", get_one),
        ("2023", "PUT", "/checkpoint", update),
        ("2023", "GET", "/checkpoints", list_all),
        ("2023", "POST", "/upload_checkpoint", fetch),
        ("2024", "POST", "/checkpoints", create_restful),
        ("2024", "GET", "/checkpoints", list_page),
        ("2024", "PUT", "/checkpoints/{id}", update_restful),
        ("2024", "DELETE", "/checkpoints", delete),
    ]


async def create(call: SdAwsCall) -> Any:
    """Register files and hand out links for their parts."""
    call.require("checkpoint_type", "filenames", "params")
    record, uploads = await _create_record(call, MOST_PARTS)
    return {
        "statusCode": 200,
        "checkpoint": _format_record(record),
        "s3PresignUrl": _format_links(call, record, uploads),
    }


async def get_one(call: SdAwsCall) -> Any:
    """One checkpoint by its id (create_checkpoint.get_or_post)."""
    record = await _get_record(call, call.request.query_params.get("id", ""))
    return {"statusCode": 200, "checkpoint": _format_record(record)}


async def update(call: SdAwsCall) -> Any:
    """Finish an upload, or set another state."""
    call.require("checkpoint_id", "status")
    record = await _update_record(call, call.read_text("checkpoint_id"))
    return {"statusCode": 200, "checkpoint": _format_record(record)}


async def list_all(call: SdAwsCall) -> Any:
    """All checkpoints by state and kind."""
    return {"statusCode": 200, "checkpoints": [_format_list_entry(record) for record in await _list_matching(call)]}


async def fetch(call: SdAwsCall) -> Any:
    """Take files from links; they are there when this answers (upload_checkpoint.long_call)."""
    call.require("checkpointType", "modelUrl", "params")
    kind = parse_kind(call.read_text("checkpointType"))
    record = await _fetch_record(call, kind, call.read_texts("modelUrl", least=1, most=20))
    return {"statusCode": 200, "checkpoint": _format_record(record)}


async def create_restful(call: SdAwsCall) -> Any:
    """Either file names, which are answered with links, or links, which are fetched."""
    call.require("checkpoint_type")
    if "urls" in call.body:
        record = await _fetch_record(
            call, parse_kind(call.read_text("checkpoint_type")), call.read_texts("urls", least=1, most=20)
        )
        return SdAwsApiResponse({"checkpoint": _format_record(record)}, 202, "Accepted")
    call.require("filenames")
    record, uploads = await _create_record(call, MOST_PARTS_RESTFUL)
    data = {"checkpoint": _format_record(record), "s3PresignUrl": _format_links(call, record, uploads)}
    return SdAwsApiResponse(data, 201, "Created")


async def update_restful(call: SdAwsCall) -> Any:
    """Finish an upload, set a state, or rename."""
    if "name" in call.body:
        record = await _get_record(call, call.request.path_params["id"])
        names = [call.read_text("name"), *record["names"][1:]]
        record = await call.records.put("checkpoint", record["id"], {**record, "names": names})
        return SdAwsApiResponse({"checkpoint": _format_record(record)}, 202, "Accepted")
    call.require("status")
    return SdAwsApiResponse({"checkpoint": _format_record(await _update_record(call, call.request.path_params["id"]))})


async def list_page(call: SdAwsCall) -> Any:
    """One page."""
    records = await _list_matching(call)
    query = call.request.query_params
    number, size = read_query_integer(query, "page", 1), read_query_integer(query, "per_page", 10)
    data = {
        "checkpoints": [_format_list_entry(record) for record in records[(number - 1) * size : number * size]],
        "page": number,
        "per_page": size,
        "pages": -(-len(records) // size),
        "total": len(records),
    }
    return SdAwsApiResponse(data)


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    call.require("checkpoint_id_list")
    for checkpoint_id in call.read_texts("checkpoint_id_list", least=1, most=100):
        await call.records.delete("checkpoint", checkpoint_id)
    return SdAwsApiResponse(status=204)


async def _create_record(call: SdAwsCall, most_parts: int) -> tuple[dict[str, Any], dict[str, list[str]]]:
    kind = parse_kind(call.read_text("checkpoint_type"))
    record = _build_record(call, kind, [])
    uploads = await begin_uploads(call, record, f"{kind}/checkpoint/{record['id']}", most_parts)
    return await call.records.put("checkpoint", record["id"], record), uploads


async def _update_record(call: SdAwsCall, checkpoint_id: str) -> dict[str, Any]:
    record = await _get_record(call, checkpoint_id)
    state = call.read_text("status")
    if state not in STATES:
        raise SdAwsHttpError(400, f"status must be one of {', '.join(STATES)}")
    if record["status"] == "Initial" and state == "Active":
        await complete_uploads(call, record)
    return await call.records.put("checkpoint", checkpoint_id, {**record, "status": state})


async def _fetch_record(call: SdAwsCall, kind: str, links: Sequence[str]) -> dict[str, Any]:
    names = [_parse_file_name(link) for link in links]
    record = _build_record(call, kind, names)
    for link, name in zip(links, names, strict=True):
        try:
            data = await call.emulator.sources.download(link, most_bytes=MOST_LINKED_BYTES)
        except SourceError as err:
            raise SdAwsHttpError(500, f"{link} {err}") from err
        await call.objects.store(f"{kind}/checkpoint/{record['id']}/{name}", data)
    record["status"] = "Active"
    record["params"]["multipart_upload"] = dict.fromkeys(names)
    return await call.records.put("checkpoint", record["id"], record)


def _format_links(call: SdAwsCall, record: dict[str, Any], uploads: dict[str, list[str]]) -> Any:
    """The part links; without them where the switch asks for what is printed (create_checkpoint.presign_shape)."""
    return _list_uploads(record) if call.switches.printed_uploads else uploads


async def merge_models(call: SdAwsCall) -> Any:
    """The three names back (run_model_merge.unusable)."""
    return {name: call.read_text(name) for name in MERGED_NAMES}


def _build_names_handler(kind: str) -> Any:
    async def list_names(call: SdAwsCall) -> Any:
        return await list_active(call, kind)

    return list_names


def _build_record(call: SdAwsCall, kind: str, names: list[str]) -> dict[str, Any]:
    raw_params: Any = call.body.get("params")
    params: dict[str, Any] = dict(raw_params) if isinstance(raw_params, dict) else {}  # pyright: ignore[reportUnknownArgumentType] # JSON
    checkpoint_id = call.create_id()
    return {
        "id": checkpoint_id,
        "type": kind,
        "s3_location": build_location(f"{kind}/checkpoint/{checkpoint_id}"),
        "status": "Initial",
        "names": names,
        "params": {**params, "created": format_time(call.now), "multipart_upload": {}},
        "created": call.now,
    }


def _format_record(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("id", "type", "s3_location", "status", "params")}


def _format_list_entry(record: dict[str, Any]) -> dict[str, Any]:
    """With both spellings of the location (list_checkpoints.key_spelling)."""
    return {
        "id": record["id"],
        "s3Location": record["s3_location"],
        "s3_location": record["s3_location"],
        "type": record["type"],
        "status": record["status"],
        "name": record["names"],
        "created": record["created"],
        "params": record["params"],
        "allowed_roles_or_users": ["*"],
    }


async def _list_matching(call: SdAwsCall) -> list[dict[str, Any]]:
    states, kinds = call.read_query_list("status"), [kind.lower() for kind in call.read_query_list("types")]
    records = [*list_built_in(), *await list_trained(call), *await call.records.list_all("checkpoint")]
    return [r for r in records if (not states or r["status"] in states) and (not kinds or r["type"].lower() in kinds)]


async def _get_record(call: SdAwsCall, checkpoint_id: str) -> dict[str, Any]:
    record = await call.records.get("checkpoint", checkpoint_id)
    if record is None:
        raise SdAwsHttpError(404 if call.generation == "2024" else 500, f"checkpoint not found with id {checkpoint_id}")
    return record


def _parse_file_name(link: str) -> str:
    name = unquote(PurePosixPath(urlsplit(link).path).name)
    if not name.endswith(SUFFIXES):
        raise SdAwsHttpError(500, f"{link} is no file ending in {', '.join(SUFFIXES)}")
    return name


def _list_uploads(record: dict[str, Any]) -> list[dict[str, str]]:
    return list(record["params"]["multipart_upload"].values())
