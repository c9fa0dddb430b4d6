"""Inferences: pictures from parameters, in one step or in three (contract: inference_v2, appendix_generation_2)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws import endpoints, lora_models
from atelier_mcp.server.emulator.sd_aws.calls import (
    SdAwsApiResponse,
    SdAwsCall,
    SdAwsHttpError,
    build_service_id,
    format_time,
)
from atelier_mcp.server.emulator.sd_aws.checkpoints import check_models
from atelier_mcp.server.emulator.sd_aws.object_store import DOWNLOAD_S, PARAMETER_UPLOAD_S, ObjectStore, build_location
from atelier_mcp.server.emulator.sd_aws.parameters import TASK_TYPES, plan_inference, read_query_integer
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsRouter
    from atelier_mcp.server.emulator.tasks import TaskView

STATES: Final = {
    Phase.PENDING: "created", Phase.RUNNING: "inprogress", Phase.SUCCESS: "succeed", Phase.FAILED: "failed",
}  # fmt: skip
ASYNC: Final = "Async"
REAL_TIME: Final = "Real-time"


class InferenceRoutes:
    """The calls about inferences."""

    def __init__(self, objects: ObjectStore) -> None:
        """Parameters go through ``objects``."""
        self._objects = objects

    def add_routes(self, router: SdAwsRouter) -> None:
        """Add the routes; creating a training shares one path, see ``trainings``."""
        router.add_legacy_route("POST", "/inference/v2", self.start_or_prepare)
        router.add_legacy_route("POST", "/inference-api/inference", self.start)
        router.add_legacy_route("GET", "/inference/get-inference-job", self.get_job)
        router.add_legacy_route("GET", "/inference/list-inference-jobs", self.list_all)
        router.add_legacy_route("POST", "/inference/query-inference-jobs", self.query)
        router.add_legacy_route("GET", "/inference/get-inference-job-image-output", self.list_image_links)
        router.add_legacy_route("GET", "/inference/get-inference-job-param-output", self.list_parameter_links)
        router.add_legacy_route("GET", "/inferences", self.list_wrapped)
        router.add_restful_route("POST", "/inferences", self.create)
        router.add_restful_route("PUT", "/inferences/{id}/start", self.start_restful)
        router.add_restful_route("GET", "/inferences/{id}", self.get_restful)
        router.add_restful_route("GET", "/inferences", self.list_page)
        router.add_restful_route("DELETE", "/inferences", self.delete)

    # The generation of 2023.

    async def start_or_prepare(self, call: SdAwsCall) -> Any:
        """One step as documented; only prepared where the switch says so (inference_v2.one_step_or_two)."""
        record = await self._prepare(
            call, call.body.get("sagemaker_endpoint_name", call.body.get("sagemaker_endpoint"))
        )
        if call.switches.two_step:
            return {"statusCode": 200, "inference": self._build_inference(call, record)}
        record = await self._start(call, record, call.body)
        about = self._build_inference(call, record)
        return {
            "statusCode": 200,
            **_build_running_status(record),
            "inference": {**about, **_build_running_status(record)},
        }

    async def start(self, call: SdAwsCall) -> Any:
        """The single call as it was deployed."""
        record = await self._prepare(call, call.body.get("sagemaker_endpoint_name"))
        record = await self._start(call, record, call.body)
        return {"status": 200, "inference": {**self._build_inference(call, record), **_build_running_status(record)}}

    async def run(self, call: SdAwsCall) -> Any:
        """Run what was prepared; a started one stays as it is (inference_v2.one_step_or_two)."""
        record = await self._get_record(call, call.request.path_params["id"])
        if record["task"] is None:
            record = await self._start(call, record, await self._read_parameters(record))
        return {"statusCode": 200, "inference": _build_running_status(record)}

    async def get_job(self, call: SdAwsCall) -> Any:
        """One job; a missing or unknown id is a fault (get_inference_job.jobid_optional)."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        if record is None:
            raise SdAwsHttpError(500, "the job does not exist")
        return await self._build_row(call, record)

    async def list_all(self, call: SdAwsCall) -> Any:
        """All jobs, newest first, without what is not known yet."""
        return [await self._build_row(call, record) for record in reversed(await call.records.list_all("inference"))]

    async def query(self, call: SdAwsCall) -> Any:
        """Jobs by state and kind."""
        rows = await self.list_all(call)
        states, kind = call.body.get("status"), call.body.get("task_type")
        matches = [r for r in rows if states in (None, "", r["status"]) and kind in (None, "", r["taskType"])]
        limit = call.body.get("limit")
        return matches[: int(limit)] if isinstance(limit, int | str) and str(limit).isdecimal() else matches

    async def list_wrapped(self, call: SdAwsCall) -> Any:
        """The same under statusCode."""
        return {"statusCode": 200, "inferences": await self.list_all(call)}

    async def list_image_links(self, call: SdAwsCall) -> Any:
        """The pictures' links; none unless the job has succeeded (get_inference_images.empty_list)."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        view = await self._find_view(call, record) if record else None
        return [] if view is None else _create_image_links(call, view)

    async def list_parameter_links(self, call: SdAwsCall) -> Any:
        """The link of the parameter dump."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        view = await self._find_view(call, record) if record else None
        if record is None or view is None or view.phase is not Phase.SUCCESS:
            return []
        return [self._objects.create_download_link(_build_dump_key(record), origin=call.origin)]

    # The later generation.

    async def create(self, call: SdAwsCall) -> Any:
        """Prepare, or start at once where the parameters come along."""
        call.require("task_type", "inference_type", "models")
        if call.read_text("inference_type") not in (ASYNC, REAL_TIME):
            raise SdAwsHttpError(400, "inference_type must be Async or Real-time")
        payload = call.body.get("payload_string")
        parameters = None if payload is None else _parse_payload(payload)
        record = await self._prepare(call, call.body.get("sagemaker_endpoint_name"))
        if parameters is None:
            return SdAwsApiResponse({"inference": self._build_inference(call, record)}, 201, "Created")
        return await self._run_restful(call, record, parameters)

    async def start_restful(self, call: SdAwsCall) -> Any:
        """Start what was prepared."""
        record = await self._get_record(call, call.request.path_params["id"])
        if record["task"] is not None:
            return SdAwsApiResponse(await self._build_restful_row(call, record), 202, "Accepted")
        return await self._run_restful(call, record, await self._read_parameters(record))

    async def get_restful(self, call: SdAwsCall) -> Any:
        """One inference with its links."""
        return SdAwsApiResponse(
            await self._build_restful_row(call, await self._get_record(call, call.request.path_params["id"]))
        )

    async def list_page(self, call: SdAwsCall) -> Any:
        """Inferences, newest first, from behind ``exclusive_start_key`` on (contract: paging.keys)."""
        records = (await call.records.list_all("inference"))[::-1]
        limit = read_query_integer(call.request.query_params, "limit", 10)
        after = call.request.query_params.get("exclusive_start_key")
        ids = [record["id"] for record in records]
        if after is not None and after not in ids:
            raise SdAwsHttpError(400, "exclusive_start_key is not the key of an inference")
        first = 0 if after is None else ids.index(after) + 1
        rows = [await self._build_restful_row(call, record) for record in records[first : first + limit]]
        last = ids[first + limit - 1] if first + limit < len(ids) else None
        return SdAwsApiResponse({"inferences": rows, "last_evaluated_key": last})

    async def delete(self, call: SdAwsCall) -> Any:
        """Delete by ids; unknown ones are no error."""
        call.require("inference_id_list")
        for inference_id in call.read_texts("inference_id_list", least=1, most=100):
            await call.records.delete("inference", inference_id)
        return SdAwsApiResponse(status=204)

    # What both do.

    async def _prepare(self, call: SdAwsCall, endpoint_name: Any) -> dict[str, Any]:
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

    async def _read_parameters(self, record: dict[str, Any]) -> dict[str, Any]:
        path = self._objects.build_path(_build_upload_key(record))
        try:
            document = json.loads(await asyncio.to_thread(path.read_bytes))
        except FileNotFoundError:
            raise SdAwsHttpError(400, "the parameters were not uploaded", key="errMsg") from None
        except ValueError:
            raise SdAwsHttpError(400, "the parameters are not JSON", key="errMsg") from None
        if not isinstance(document, dict):
            raise SdAwsHttpError(400, "the parameters must be an object", key="errMsg")
        return cast("dict[str, Any]", document)

    async def _start(self, call: SdAwsCall, record: dict[str, Any], parameters: Any) -> dict[str, Any]:
        plan = await plan_inference(call.emulator, record["task_type"], parameters)
        engine_task = plan.engine_task
        if plan.loras:
            profiles = await lora_models.load_profiles(call, plan.loras, record["models"].get("Lora") or [])
            engine_task = EngineTask(engine_task.function, {**engine_task.arguments, "profiles": profiles})
        elif "controls" in engine_task.arguments:
            engine_task = EngineTask(engine_task.function, {**engine_task.arguments, "profiles": []})
        task = await call.start_task("inference", record["id"], engine_task)
        await self._objects.store(_build_dump_key(record), json.dumps(plan.values, ensure_ascii=False).encode())
        return await call.records.put("inference", record["id"], {**record, "task": task})

    async def _run_restful(
        self, call: SdAwsCall, record: dict[str, Any], parameters: dict[str, Any]
    ) -> SdAwsApiResponse:
        record = await self._start(call, record, parameters)
        if record["type"] == REAL_TIME:
            view = await self._find_view(call, record)
            assert view is not None and view.task is not None  # noqa: PT018, S101 - it was just accepted
            await call.emulator.tasks.finish(view.task)
            return SdAwsApiResponse(await self._build_restful_row(call, record))
        row = await self._build_restful_row(call, record)
        return SdAwsApiResponse(
            {**row, "inference": {**_build_running_status(record), "id": record["id"]}}, 202, "Accepted"
        )

    def _build_inference(self, call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
        """What a prepared inference is told by."""
        key = _build_upload_key(record)
        models = [
            {"id": f"{kind}-checkpoints", "name": names, "type": kind} for kind, names in record["models"].items()
        ]
        return {
            "id": record["id"],
            "type": record["task_type"],
            "api_params_s3_location": build_location(key),
            "api_params_s3_upload_url": self._objects.create_upload_link(
                key, origin=call.origin, seconds=PARAMETER_UPLOAD_S
            ),
            "models": models,
        }

    async def _build_row(self, call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
        view = await self._find_view(call, record)
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

    async def _build_restful_row(self, call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
        row, view = await self._build_row(call, record), await self._find_view(call, record)
        done = view is not None and view.phase is Phase.SUCCESS
        return {
            **row,
            "id": record["id"],
            "inference_type": record["type"],
            "createTime": row["startTime"],
            "img_presigned_urls": _create_image_links(call, view) if view is not None and done else [],
            "output_presigned_urls": [self._objects.create_download_link(_build_dump_key(record), origin=call.origin)]
            if done
            else [],
        }

    async def _find_view(self, call: SdAwsCall, record: dict[str, Any]) -> TaskView | None:
        return None if record["task"] is None else await call.find_view("inference", record["task"])

    async def _get_record(self, call: SdAwsCall, inference_id: str) -> dict[str, Any]:
        record = await call.records.get("inference", inference_id)
        if record is None:
            raise SdAwsHttpError(
                404 if call.generation == "2024" else 500, f"inference with id {inference_id} not found"
            )
        return record


def _parse_payload(text: Any) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise SdAwsHttpError(400, "payload_string must be valid json string")
    return cast("dict[str, Any]", document)


def _build_running_status(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "inference_id": record["id"],
        "status": "inprogress",
        "endpoint_name": record["endpoint"],
        "output_path": build_location(f"out/{record['id']}"),
    }


def _build_upload_key(record: dict[str, Any]) -> str:
    return f"{record['task_type']}/infer_v2/{record['id']}/api_param.json"


def _build_dump_key(record: dict[str, Any]) -> str:
    return f"out/{record['id']}/result/{record['id']}_param.json"


def _count_images(view: TaskView) -> int:
    return len(view.outcome.pictures) if view.outcome else 0


def _create_image_links(call: SdAwsCall, view: TaskView) -> list[str]:
    if view.phase is not Phase.SUCCESS or view.outcome is None:
        return []
    seconds = min(call.emulator.settings.link_seconds, DOWNLOAD_S)
    folder = f"tasks/{build_service_id('inference')}/{view.task.task_id}"
    return [
        call.emulator.links.create_link(f"{folder}/{image.raw}", origin=call.origin, seconds=seconds)
        for image in view.outcome.pictures
    ]
