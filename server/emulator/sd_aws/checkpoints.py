"""Checkpoints: the files of a deployment, uploaded in parts or fetched from links (contract: create_checkpoint ff.)."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, SdAwsHttpError, format_time
from atelier_mcp.server.emulator.sd_aws.lora_models import list_trained
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore, build_location
from atelier_mcp.server.emulator.sd_aws.parameters import read_query_integer
from atelier_mcp.server.emulator.sources import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsRouter

BASE: Final = "Stable-diffusion"
TYPES: Final = (BASE, "embeddings", "Lora", "hypernetworks", "ControlNet", "VAE")
STATES: Final = ("Initial", "Active", "Disabled")
SUFFIXES: Final = (".pt", ".pth", ".ckpt", ".safetensors", ".yaml")
MOST_LINKED_BYTES: Final = 4 << 30
MOST_PARTS: Final = 10_000
MOST_PARTS_RESTFUL: Final = 100
BUILT_IN: Final = {
    BASE: ("v1-5-pruned-emaonly.safetensors", "sd_xl_base_1.0.safetensors"),
    "embeddings": ("easynegative.safetensors",),
    "Lora": ("watercolour.safetensors", "ink.safetensors", "comic.safetensors"),
    "hypernetworks": ("softlight.pt",),
    "ControlNet": (
        "control_v11p_sd15_canny.pth", "control_v11f1p_sd15_depth.pth", "control_v11p_sd15_openpose.pth",
        "control_v11p_sd15_mlsd.pth", "control_v11p_sd15_normalbae.pth", "control_v11p_sd15_lineart.pth",
        "control_v11p_sd15s2_lineart_anime.pth", "control_v11p_sd15_softedge.pth", "control_v11p_sd15_scribble.pth",
        "control_v11p_sd15_seg.pth", "control_v11e_sd15_shuffle.pth", "control_v11f1e_sd15_tile.pth",
        "control_v11e_sd15_ip2p.pth", "control_v1p_sd15_brightness.safetensors", "ip-adapter-faceid_sd15.pth",
    ),
    "VAE": ("vae-ft-mse-840000-ema-pruned.safetensors",),
}  # fmt: skip
"""What a fresh deployment of the emulator has, so that pictures can be made at once."""
NEEDS_NO_FILE: Final = {"VAE": ("None", "Automatic")}


class CheckpointRoutes:
    """The calls about checkpoints."""

    def __init__(self, objects: ObjectStore) -> None:
        """Upload to ``objects``."""
        self._objects = objects

    def add_routes(self, router: SdAwsRouter) -> None:
        """Add the routes."""
        router.add_legacy_route("POST", "/checkpoint", self.create)
        router.add_legacy_route("GET", "/checkpoint", self.get_one)
        router.add_legacy_route("PUT", "/checkpoint", self.update)
        router.add_legacy_route("GET", "/checkpoints", self.list_all)
        router.add_legacy_route("POST", "/upload_checkpoint", self.fetch)
        router.add_restful_route("POST", "/checkpoints", self.create_restful)
        router.add_restful_route("GET", "/checkpoints", self.list_page)
        router.add_restful_route("PUT", "/checkpoints/{id}", self.update_restful)
        router.add_restful_route("DELETE", "/checkpoints", self.delete)

    async def create(self, call: SdAwsCall) -> Any:
        """Register files and hand out links for their parts."""
        call.require("checkpoint_type", "filenames", "params")
        record, uploads = await self._create_record(call, MOST_PARTS)
        return {
            "statusCode": 200,
            "checkpoint": _format_record(record),
            "s3PresignUrl": self._format_links(call, record, uploads),
        }

    async def get_one(self, call: SdAwsCall) -> Any:
        """One checkpoint by its id (create_checkpoint.get_or_post)."""
        record = await _get_record(call, call.request.query_params.get("id", ""))
        return {"statusCode": 200, "checkpoint": _format_record(record)}

    async def update(self, call: SdAwsCall) -> Any:
        """Finish an upload, or set another state."""
        call.require("checkpoint_id", "status")
        record = await self._update_record(call, call.read_text("checkpoint_id"))
        return {"statusCode": 200, "checkpoint": _format_record(record)}

    async def list_all(self, call: SdAwsCall) -> Any:
        """All checkpoints by state and kind."""
        return {"statusCode": 200, "checkpoints": [_format_list_entry(record) for record in await _list_matching(call)]}

    async def fetch(self, call: SdAwsCall) -> Any:
        """Take files from links; they are there when this answers (upload_checkpoint.long_call)."""
        call.require("checkpointType", "modelUrl", "params")
        kind = _parse_kind(call.read_text("checkpointType"))
        record = await self._fetch_record(call, kind, call.read_texts("modelUrl", least=1, most=20))
        return {"statusCode": 200, "checkpoint": _format_record(record)}

    async def create_restful(self, call: SdAwsCall) -> Any:
        """Either file names, which are answered with links, or links, which are fetched."""
        call.require("checkpoint_type")
        if "urls" in call.body:
            record = await self._fetch_record(
                call, _parse_kind(call.read_text("checkpoint_type")), call.read_texts("urls", least=1, most=20)
            )
            return SdAwsApiResponse({"checkpoint": _format_record(record)}, 202, "Accepted")
        call.require("filenames")
        record, uploads = await self._create_record(call, MOST_PARTS_RESTFUL)
        data = {"checkpoint": _format_record(record), "s3PresignUrl": self._format_links(call, record, uploads)}
        return SdAwsApiResponse(data, 201, "Created")

    async def update_restful(self, call: SdAwsCall) -> Any:
        """Finish an upload, set a state, or rename."""
        if "name" in call.body:
            record = await _get_record(call, call.request.path_params["id"])
            names = [call.read_text("name"), *record["names"][1:]]
            record = await call.records.put("checkpoint", record["id"], {**record, "names": names})
            return SdAwsApiResponse({"checkpoint": _format_record(record)}, 202, "Accepted")
        call.require("status")
        return SdAwsApiResponse(
            {"checkpoint": _format_record(await self._update_record(call, call.request.path_params["id"]))}
        )

    async def list_page(self, call: SdAwsCall) -> Any:
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

    async def delete(self, call: SdAwsCall) -> Any:
        """Delete by ids; unknown ones are no error."""
        call.require("checkpoint_id_list")
        for checkpoint_id in call.read_texts("checkpoint_id_list", least=1, most=100):
            await call.records.delete("checkpoint", checkpoint_id)
        return SdAwsApiResponse(status=204)

    async def _create_record(self, call: SdAwsCall, most_parts: int) -> tuple[dict[str, Any], dict[str, list[str]]]:
        kind = _parse_kind(call.read_text("checkpoint_type"))
        record = _build_record(call, kind, [])
        uploads = await begin_uploads(call, self._objects, record, f"{kind}/checkpoint/{record['id']}", most_parts)
        return await call.records.put("checkpoint", record["id"], record), uploads

    async def _update_record(self, call: SdAwsCall, checkpoint_id: str) -> dict[str, Any]:
        record = await _get_record(call, checkpoint_id)
        state = call.read_text("status")
        if state not in STATES:
            raise SdAwsHttpError(400, f"status must be one of {', '.join(STATES)}")
        if record["status"] == "Initial" and state == "Active":
            await complete_uploads(call, self._objects, record)
        return await call.records.put("checkpoint", checkpoint_id, {**record, "status": state})

    async def _fetch_record(self, call: SdAwsCall, kind: str, links: Sequence[str]) -> dict[str, Any]:
        names = [_parse_file_name(link) for link in links]
        record = _build_record(call, kind, names)
        for link, name in zip(links, names, strict=True):
            try:
                data = await call.emulator.sources.download(link, most_bytes=MOST_LINKED_BYTES)
            except SourceError as err:
                raise SdAwsHttpError(500, f"{link} {err}") from err
            await self._objects.store(f"{kind}/checkpoint/{record['id']}/{name}", data)
        record["status"] = "Active"
        record["params"]["multipart_upload"] = dict.fromkeys(names)
        return await call.records.put("checkpoint", record["id"], record)

    def _format_links(self, call: SdAwsCall, record: dict[str, Any], uploads: dict[str, list[str]]) -> Any:
        """The part links; without them where the switch asks for what is printed (create_checkpoint.presign_shape)."""
        return _list_uploads(record) if call.switches.printed_uploads else uploads


async def begin_uploads(
    call: SdAwsCall, objects: ObjectStore, record: dict[str, Any], prefix: str, most_parts: int
) -> dict[str, list[str]]:
    """Begin an upload per file of the body; the record remembers them. Answers each file's part links."""
    uploads: dict[str, list[str]] = {}
    for entry in call.read_objects("filenames"):
        name, parts = entry.get("filename"), entry.get("parts_number")
        if not isinstance(name, str) or not name or isinstance(parts, bool) or not isinstance(parts, int):
            raise SdAwsHttpError(500, "filenames: each needs filename and parts_number")
        if not 1 <= parts <= most_parts:
            raise SdAwsHttpError(400, f"parts_number must be from 1 to {most_parts}")
        key = f"{prefix}/{name}"
        upload_id, uploads[name] = objects.create_part_links(key, parts, origin=call.origin)
        record["params"]["multipart_upload"][name] = {"upload_id": upload_id, "bucket": "atelier-emulator", "key": key}
        record["names"].append(name)
    return uploads


async def complete_uploads(call: SdAwsCall, objects: ObjectStore, record: dict[str, Any]) -> None:
    """Put together what was uploaded, by the tags of the body."""
    tags: Any = call.body.get("multi_parts_tags") or {}
    for name, upload in record["params"]["multipart_upload"].items():
        if not tags.get(name):
            raise SdAwsHttpError(400, f"multi_parts_tags has no parts of {name}")
        await objects.complete(upload["key"], upload["upload_id"], tags[name])


async def list_active(call: SdAwsCall, kind: str) -> list[str]:
    """The file names of a kind that can be used."""
    records = [*await list_trained(call), *await call.records.list_all("checkpoint")]
    own = [name for r in records if r["type"] == kind and r["status"] == "Active" for name in r["names"]]
    return [*BUILT_IN.get(kind, ()), *own]


async def check_models(call: SdAwsCall, models: Any) -> None:
    """Refuse an inference that names files there are not (inference_v2: unknown checkpoint)."""
    if not isinstance(models, dict) or not models.get(BASE):  # pyright: ignore[reportUnknownMemberType] # JSON
        raise SdAwsHttpError(400, "models.Stable-diffusion is required", key="errMsg")
    missing: list[str] = []
    for kind, names in models.items():  # pyright: ignore[reportUnknownVariableType] # JSON
        known = {*await list_active(call, _parse_kind(str(kind))), *NEEDS_NO_FILE.get(str(kind), ())}  # pyright: ignore[reportUnknownArgumentType] # JSON
        missing += [f"checkpoint with name {n}, type {kind} is not found" for n in names if n not in known]  # pyright: ignore[reportUnknownVariableType] # JSON
    if missing:
        raise SdAwsHttpError(400, missing, key="errMsg")


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


def _list_built_in() -> Iterable[dict[str, Any]]:
    for kind, names in BUILT_IN.items():
        for name in names:
            place = f"{kind}/checkpoint/built-in"
            checkpoint_id = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:32]
            params: dict[str, Any] = {"message": "of the emulator", "multipart_upload": {}}
            yield {
                "id": checkpoint_id, "type": kind, "s3_location": build_location(place), "status": "Active",
                "names": [name], "params": params, "created": 1_690_000_000.0,
            }  # fmt: skip


async def _list_matching(call: SdAwsCall) -> list[dict[str, Any]]:
    states, kinds = call.read_query_list("status"), [kind.lower() for kind in call.read_query_list("types")]
    records = [*_list_built_in(), *await list_trained(call), *await call.records.list_all("checkpoint")]
    return [r for r in records if (not states or r["status"] in states) and (not kinds or r["type"].lower() in kinds)]


async def _get_record(call: SdAwsCall, checkpoint_id: str) -> dict[str, Any]:
    record = await call.records.get("checkpoint", checkpoint_id)
    if record is None:
        raise SdAwsHttpError(404 if call.generation == "2024" else 500, f"checkpoint not found with id {checkpoint_id}")
    return record


def _parse_kind(name: str) -> str:
    """The kind however it is written (upload_checkpoint.type_case)."""
    for kind in TYPES:
        if kind.lower() == name.lower():
            return kind
    raise SdAwsHttpError(400, f"checkpoint type must be one of {', '.join(TYPES)}")


def _parse_file_name(link: str) -> str:
    name = unquote(PurePosixPath(urlsplit(link).path).name)
    if not name.endswith(SUFFIXES):
        raise SdAwsHttpError(500, f"{link} is no file ending in {', '.join(SUFFIXES)}")
    return name


def _list_uploads(record: dict[str, Any]) -> list[dict[str, str]]:
    return list(record["params"]["multipart_upload"].values())
