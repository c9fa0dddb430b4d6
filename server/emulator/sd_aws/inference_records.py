"""An inference on record: prepared, started, and shown, for the calls of both generations."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws import endpoints
from atelier_mcp.server.emulator.sd_aws.calls import build_service_id, format_time
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.inference_plan import TASK_TYPES, plan_inference
from atelier_mcp.server.emulator.sd_aws.models import check_models, load_profiles
from atelier_mcp.server.emulator.sd_aws.object_store import DOWNLOAD_S, PARAMETER_UPLOAD_S, build_location
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.tasks import TaskView

STATES: Final = {
    Phase.PENDING: "created", Phase.RUNNING: "inprogress", Phase.SUCCESS: "succeed", Phase.FAILED: "failed",
}  # fmt: skip
ASYNC: Final = "Async"


async def prepare_inference(call: SdAwsCall, endpoint_name: Any) -> dict[str, Any]:
    """A new inference at an endpoint in service, at any such one in the later generation where none is named.

    Raises SdAwsHttpError with status 400 for a kind of task, an endpoint or a checkpoint that cannot be had.
    """
    task_type = call.body.get("task_type")
    if task_type not in TASK_TYPES:
        raise SdAwsHttpError(400, f"task_type must be one of {', '.join(TASK_TYPES)}", key="errMsg")
    if call.generation == "2023" and not endpoint_name and not call.body.get("user_id"):
        raise SdAwsHttpError(400, "sagemaker_endpoint_name is required", key="errMsg")
    endpoint = await endpoints.find_ready(call, str(endpoint_name or ""))
    if endpoint is None and call.generation == "2023":
        raise SdAwsHttpError(400, "no endpoint is in service", key="errMsg")
    if task_type in ("txt2img", "img2img"):
        await check_models(call, call.body.get("models"))
    inference_id = call.create_id()
    record: dict[str, Any] = {
        "created": call.now,
        "task_type": task_type,
        "type": call.body.get("inference_type", ASYNC),
        "models": call.body.get("models") or {},
        "endpoint": endpoint["name"] if endpoint else "",
        "user": call.user,
        "task": None,
    }
    return await call.records.put("inference", inference_id, record)


async def read_uploaded_parameters(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """The parameters that were PUT to the link of a prepared inference."""
    path = call.objects.build_path(_build_upload_key(record))
    try:
        document = json.loads(await asyncio.to_thread(path.read_bytes))
    except FileNotFoundError:
        raise SdAwsHttpError(400, "the parameters were not uploaded", key="errMsg") from None
    except ValueError:
        raise SdAwsHttpError(400, "the parameters are not JSON", key="errMsg") from None
    if not isinstance(document, dict):
        raise SdAwsHttpError(400, "the parameters must be an object", key="errMsg")
    return cast("dict[str, Any]", document)


async def start_inference(call: SdAwsCall, record: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """The inference at work; its values with their defaults are kept for the link of the parameter dump."""
    plan = await plan_inference(call.emulator, record["task_type"], parameters)
    engine_task = plan.engine_task
    if plan.loras:
        profiles = await load_profiles(call, plan.loras, record["models"].get("Lora") or [])
        engine_task = EngineTask(engine_task.function, {**engine_task.arguments, "profiles": profiles})
    elif "controls" in engine_task.arguments:
        engine_task = EngineTask(engine_task.function, {**engine_task.arguments, "profiles": []})
    task = await call.start_task("inference", record["id"], engine_task)
    await call.objects.store(build_dump_key(record), json.dumps(plan.values, ensure_ascii=False).encode())
    return await call.records.put("inference", record["id"], {**record, "task": task})


def build_prepared_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """What a prepared inference is told by."""
    key = _build_upload_key(record)
    models = [{"id": f"{kind}-checkpoints", "name": names, "type": kind} for kind, names in record["models"].items()]
    return {
        "id": record["id"],
        "type": record["task_type"],
        "api_params_s3_location": build_location(key),
        "api_params_s3_upload_url": call.objects.create_upload_link(
            key, origin=call.origin, seconds=PARAMETER_UPLOAD_S
        ),
        "models": models,
    }


async def build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """What a job of 2023 is told by; names that are not known yet are left out (contract: get_inference_job)."""
    view = await find_inference_view(call, record)
    row: dict[str, Any] = {
        "InferenceJobId": record["id"],
        "status": "created" if view is None else STATES[view.phase],
        "taskType": record["task_type"],
        "startTime": format_time(record["created"]),
        "params": {
            "input_body_s3": build_location(_build_upload_key(record)),
            "sagemaker_inference_endpoint_name": record["endpoint"],
            "used_models": record["models"],
            "output_path": build_location(f"out/{record['id']}"),
        },
        "owner_group_or_role": [record["user"]],
    }
    if view is not None and view.outcome is not None and view.phase in (Phase.SUCCESS, Phase.FAILED):
        row["completeTime"] = format_time(view.task.ends_at)
        row["sagemakerRaw"] = str({"failureReason": view.outcome.failed}) if view.outcome.failed else ""
    if view is not None and view.phase is Phase.SUCCESS:
        row["inference_info_name"] = f"/tmp/{record['id']}_param.json"  # noqa: S108 - as the service says it
        row["image_names"] = [f"image_{index}.jpg" for index in range(_count_images(view))]
    return row


async def build_restful_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """The same with the links of its results, which the later generation gives along."""
    row, view = await build_row(call, record), await find_inference_view(call, record)
    done = view is not None and view.phase is Phase.SUCCESS
    return {
        **row,
        "id": record["id"],
        "inference_type": record["type"],
        "createTime": row["startTime"],
        "img_presigned_urls": create_image_links(call, view) if view is not None and done else [],
        "output_presigned_urls": [call.objects.create_download_link(build_dump_key(record), origin=call.origin)]
        if done
        else [],
    }


async def find_inference_view(call: SdAwsCall, record: dict[str, Any]) -> TaskView | None:
    """How far it is; None for one that was only prepared."""
    return None if record["task"] is None else await call.find_view("inference", record["task"])


async def get_inference(call: SdAwsCall, inference_id: str) -> dict[str, Any]:
    """The inference of that id; raises SdAwsHttpError, whose status differs between the generations."""
    record = await call.records.get("inference", inference_id)
    if record is None:
        raise SdAwsHttpError(404 if call.generation == "2024" else 500, f"inference with id {inference_id} not found")
    return record


def build_running_status(record: dict[str, Any]) -> dict[str, Any]:
    """What is said of one that was just started."""
    return {
        "inference_id": record["id"],
        "status": "inprogress",
        "endpoint_name": record["endpoint"],
        "output_path": build_location(f"out/{record['id']}"),
    }


def _build_upload_key(record: dict[str, Any]) -> str:
    return f"{record['task_type']}/infer_v2/{record['id']}/api_param.json"


def build_dump_key(record: dict[str, Any]) -> str:
    """Where the dump of its parameters lies."""
    return f"out/{record['id']}/result/{record['id']}_param.json"


def _count_images(view: TaskView) -> int:
    return len(view.outcome.pictures) if view.outcome else 0


def create_image_links(call: SdAwsCall, view: TaskView) -> list[str]:
    """Links to the pictures, which work for an hour at most; none unless it has succeeded."""
    if view.phase is not Phase.SUCCESS or view.outcome is None:
        return []
    seconds = min(call.emulator.settings.link_seconds, DOWNLOAD_S)
    folder = f"tasks/{build_service_id('inference')}/{view.task.task_id}"
    return [
        call.emulator.links.create_link(f"{folder}/{image.raw}", origin=call.origin, seconds=seconds)
        for image in view.outcome.pictures
    ]
