"""An inference on record: prepared and told, for the calls of all versions (contract: inference_v2, routes)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws import endpoints
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.inference_runs import GENERATED, build_dump_key, build_image_key, settle
from atelier_mcp.server.emulator.sd_aws.models import find_models
from atelier_mcp.server.emulator.sd_aws.object_store import DOWNLOAD_S, PARAMETER_UPLOAD_S, build_location

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

OTHER_TASKS: Final = ("extra-single-image", "extra-batch-images", "rembg")
ASYNC: Final = "Async"


def check_task_type(task_type: Any) -> None:
    """Refuse a kind of task there is not; raises SdAwsHttpError."""
    if task_type not in (*GENERATED, *OTHER_TASKS):
        text = f"task type {task_type} should be in {list(OTHER_TASKS)} or {list(GENERATED)}"
        raise SdAwsHttpError(400, text, key="errMsg")


async def prepare(call: SdAwsCall, *, user: str | None, endpoint_name: str) -> dict[str, Any]:
    """A new inference at an endpoint in service; raises SdAwsHttpError for what cannot be had.

    Checked in this order: the kind of task, the endpoint, the checkpoints (contract: answered.check_order).
    """
    task_type, payload = call.body["task_type"], call.body.get("payload_string")
    check_task_type(task_type)
    kind = str(call.body.get("inference_type") or ASYNC)
    view = await endpoints.find_ready(call, user=user, name=endpoint_name, kind=kind)
    if view is None:
        raise SdAwsHttpError(400, "'NoneType' object has no attribute 'endpoint_name'")
    # Other tasks name no models, and their answers have none.
    models = await find_models(call, call.body["models"]) if task_type in GENERATED else None
    record = _build_record(call, kind=kind, user=user or "", endpoint=view.record, models=models)
    inference_id = call.create_id()
    # An empty text counts as given here, but not for the start: prepared, and without a link (contract: routes).
    if payload is None:
        key = build_upload_key(task_type, inference_id)
        record["link"] = call.objects.create_upload_link(key, origin=call.origin, seconds=PARAMETER_UPLOAD_S)
    return await call.records.put("inference", inference_id, {**record, "payload": payload or None})


async def read_uploaded_parameters(call: SdAwsCall, record: dict[str, Any]) -> Any:
    """The parameters that were PUT to the link of a prepared inference; None where nothing usable was."""
    path = call.objects.build_path(build_upload_key(record["task_type"], record["id"]))
    try:
        return json.loads(await asyncio.to_thread(path.read_bytes))
    except (FileNotFoundError, ValueError):
        return None


def build_prepared_row(record: dict[str, Any]) -> dict[str, Any]:
    """What a prepared inference is told by."""
    key = build_upload_key(record["task_type"], record["id"])
    row: dict[str, Any] = {
        "id": record["id"],
        "type": record["task_type"],
        "api_params_s3_location": build_location(key),
        "api_params_s3_upload_url": record["link"],
    }
    return row if record["models"] is None else {**row, "models": list_models(record)}


def list_models(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The checkpoints of an inference, each with all its files."""
    models: dict[str, list[dict[str, Any]]] = record["models"] or {}
    entries = [entry for of_kind in models.values() for entry in of_kind]
    return [{"id": entry["id"], "name": entry["names"], "type": entry["type"]} for entry in entries]


def build_running_row(record: dict[str, Any]) -> dict[str, Any]:
    """What is said of one that was just started."""
    return {
        "inference_id": record["id"],
        "status": "inprogress",
        "endpoint_name": record["endpoint"],
        "output_path": record["output"],
    }


def build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """What a settled inference is told by; names that are not known yet are left out (contract: get_inference_job)."""
    row: dict[str, Any] = {
        "InferenceJobId": record["id"],
        "taskType": record["task_type"],
        "owner_group_or_role": [record["user"]],
        "params": _build_params(call, record),
        **record["row"],
    }
    if not call.version.is_legacy:
        row |= {"createTime": call.format_moment(record["created"]), "inference_type": record["type"]}
    if record["payload"] is not None:
        row["payload_string"] = record["payload"]
    return row


def build_list_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """A settled inference as lists have it, with what each version says for what is not known."""
    version = call.version
    unset: dict[str, Any] = {"image_names": None, "sagemakerRaw": None, "completeTime": None}
    if version.fills_unset:
        unset |= {"image_names": [], "sagemakerRaw": {}, "payload_string": "{}"}
    elif version.has_one_step:
        unset["payload_string"] = None
    # With a user in the query the rows have more keys: so it was answered.
    if not version.fills_unset or "username" in call.query:
        unset["inference_info_name"] = None
    if version.fills_unset and "username" in call.query:
        unset["workflow"] = None
    return {**unset, **build_row(call, record)}


def build_linked_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """A settled inference with the links of its results; that of the parameters is always there.

    (contract: answered.output_link)
    """
    links = {
        "img_presigned_urls": create_image_links(call, record),
        "output_presigned_urls": [create_dump_link(call, record)],
    }
    return {**links, **build_row(call, record)}


def create_image_links(call: SdAwsCall, record: dict[str, Any]) -> list[str]:
    """Links to the pictures, which work for an hour at most."""
    seconds = min(call.emulator.settings.link_seconds, DOWNLOAD_S)
    names: list[str] = record["row"].get("image_names") or []
    return [
        call.objects.create_download_link(build_image_key(record, name), origin=call.origin, seconds=seconds)
        for name in names
    ]


def create_dump_link(call: SdAwsCall, record: dict[str, Any]) -> str:
    """The link to the parameters of a run, whether there are any yet or not."""
    return call.objects.create_download_link(build_dump_key(record), origin=call.origin)


async def list_settled(call: SdAwsCall, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same inferences, as they stand now."""
    return [await settle(call, record) for record in records]


def build_upload_key(task_type: str, inference_id: str) -> str:
    """Where the parameters of a prepared inference are put."""
    return f"{task_type}/infer_v2/{inference_id}/api_param.json"


def _build_record(
    call: SdAwsCall, *, kind: str, user: str, endpoint: dict[str, Any], models: dict[str, list[dict[str, Any]]] | None
) -> dict[str, Any]:
    """An inference that was only prepared; ``row`` is what it is told by that changes."""
    of_kinds: list[list[dict[str, Any]]] = [] if models is None else list(models.values())
    # Since v1.6 a worker tells when it begins.
    unset: dict[str, Any] = {"startTime": call.format_moment(call.now)}
    if call.version.fills_unset:
        unset = {"startTime": "", "image_names": []}
    return {
        "created": call.now, "task_type": call.body["task_type"], "type": kind, "user": user,
        "endpoint": endpoint["name"], "endpoint_id": endpoint["id"], "instance_type": endpoint["instance_type"],
        "models": models, "model_names": [name for of_kind in of_kinds for entry in of_kind for name in entry["names"]],
        "link": None, "task": None, "task_kind": "inference", "is_settled": False, "is_animation": False, "maps": 0,
        "parameters": None, "output": None, "row": {"status": "created", **unset},
    }  # fmt: skip


def _build_params(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {
        "input_body_s3": build_location(build_upload_key(record["task_type"], record["id"])),
        "sagemaker_inference_endpoint_id": record["endpoint_id"],
        "sagemaker_inference_endpoint_name": record["endpoint"],
    }
    if record["link"] is not None:
        params["input_body_presign_url"] = record["link"]
    if not call.version.is_legacy:
        params["sagemaker_inference_instance_type"] = record["instance_type"]
    if record["models"] is not None:
        shown = ("id", "model_name", "s3", "type")
        params["used_models"] = {
            kind: [{name: entry[name] for name in shown} for entry in entries]
            for kind, entries in record["models"].items()
        }
    if record["output"] is not None and record["type"] == ASYNC:
        params["output_path"] = record["output"]
    return params
