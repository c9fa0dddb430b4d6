"""Inferences: pictures from parameters, in one step or in three (contract: inference_v2, appendix_generation_2)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_aws import endpoints, loras
from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, Reply, service, stamp
from atelier_mcp.server.emulator.sd_aws.checkpoints import check_models
from atelier_mcp.server.emulator.sd_aws.inputs import TASK_TYPES, work_of
from atelier_mcp.server.emulator.sd_aws.objects import DOWNLOAD_S, PARAMETER_UPLOAD_S, Objects, location
from atelier_mcp.server.emulator.tasks import Order, Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door
    from atelier_mcp.server.emulator.tasks import View

STATES: Final = {
    Phase.PENDING: "created", Phase.RUNNING: "inprogress", Phase.SUCCESS: "succeed", Phase.FAILED: "failed",
}  # fmt: skip
ASYNC: Final = "Async"
REAL_TIME: Final = "Real-time"


class Inferences:
    """The calls about inferences."""

    def __init__(self, objects: Objects) -> None:
        """Parameters go through ``objects``."""
        self._objects = objects

    def offer(self, door: Door) -> None:
        """Hang up the calls; creating a training shares one path, see ``trainings``."""
        door.legacy("POST", "/inference/v2", self.start_or_prepare)
        door.legacy("POST", "/inference-api/inference", self.start)
        door.legacy("GET", "/inference/get-inference-job", self.job)
        door.legacy("GET", "/inference/list-inference-jobs", self.listed)
        door.legacy("POST", "/inference/query-inference-jobs", self.queried)
        door.legacy("GET", "/inference/get-inference-job-image-output", self.image_links)
        door.legacy("GET", "/inference/get-inference-job-param-output", self.param_links)
        door.legacy("GET", "/inferences", self.by_user)
        door.restful("POST", "/inferences", self.create)
        door.restful("PUT", "/inferences/{id}/start", self.start_later)
        door.restful("GET", "/inferences/{id}", self.job_later)
        door.restful("GET", "/inferences", self.page)
        door.restful("DELETE", "/inferences", self.delete)

    # The generation of 2023.

    async def start_or_prepare(self, call: Call) -> Any:
        """One step as documented; only prepared where the switch says so (inference_v2.one_step_or_two)."""
        record = await self._prepared(
            call, call.body.get("sagemaker_endpoint_name", call.body.get("sagemaker_endpoint"))
        )
        if call.switches.two_step:
            return {"statusCode": 200, "inference": self._inference(call, record)}
        record = await self._started(call, record, call.body)
        about = self._inference(call, record)
        return {"statusCode": 200, **_running(record), "inference": {**about, **_running(record)}}

    async def start(self, call: Call) -> Any:
        """The single call as it was deployed."""
        record = await self._prepared(call, call.body.get("sagemaker_endpoint_name"))
        record = await self._started(call, record, call.body)
        return {"status": 200, "inference": {**self._inference(call, record), **_running(record)}}

    async def run(self, call: Call) -> Any:
        """Run what was prepared; a started one stays as it is (inference_v2.one_step_or_two)."""
        record = await self._found(call, call.request.path_params["id"])
        if record["task"] is None:
            record = await self._started(call, record, await self._parameters(record))
        return {"statusCode": 200, "inference": _running(record)}

    async def job(self, call: Call) -> Any:
        """One job; a missing or unknown id is a fault (get_inference_job.jobid_optional)."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        if record is None:
            raise Refused(500, "the job does not exist")
        return await self._row(call, record)

    async def listed(self, call: Call) -> Any:
        """All jobs, newest first, without what is not known yet."""
        return [await self._row(call, record) for record in reversed(await call.records.all("inference"))]

    async def queried(self, call: Call) -> Any:
        """Jobs by state and kind."""
        rows = await self.listed(call)
        states, kind = call.body.get("status"), call.body.get("task_type")
        found = [r for r in rows if states in (None, "", r["status"]) and kind in (None, "", r["taskType"])]
        limit = call.body.get("limit")
        return found[: int(limit)] if isinstance(limit, int | str) and str(limit).isdecimal() else found

    async def by_user(self, call: Call) -> Any:
        """The same under statusCode."""
        return {"statusCode": 200, "inferences": await self.listed(call)}

    async def image_links(self, call: Call) -> Any:
        """The pictures' links; none unless the job has succeeded (get_inference_images.empty_list)."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        view = await self._view(call, record) if record else None
        return [] if view is None else _picture_links(call, view)

    async def param_links(self, call: Call) -> Any:
        """The link of the parameter dump."""
        record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
        view = await self._view(call, record) if record else None
        if record is None or view is None or view.phase is not Phase.SUCCESS:
            return []
        return [self._objects.download_link(_dump_key(record), origin=call.origin)]

    # The later generation.

    async def create(self, call: Call) -> Any:
        """Prepare, or start at once where the parameters come along."""
        call.need("task_type", "inference_type", "models")
        if call.text("inference_type") not in (ASYNC, REAL_TIME):
            raise Refused(400, "inference_type must be Async or Real-time")
        payload = call.body.get("payload_string")
        parameters = None if payload is None else _payload(payload)
        record = await self._prepared(call, call.body.get("sagemaker_endpoint_name"))
        if parameters is None:
            return Reply({"inference": self._inference(call, record)}, 201, "Created")
        return await self._run_later(call, record, parameters)

    async def start_later(self, call: Call) -> Any:
        """Start what was prepared."""
        record = await self._found(call, call.request.path_params["id"])
        if record["task"] is not None:
            return Reply(await self._row_later(call, record), 202, "Accepted")
        return await self._run_later(call, record, await self._parameters(record))

    async def job_later(self, call: Call) -> Any:
        """One inference with its links."""
        return Reply(await self._row_later(call, await self._found(call, call.request.path_params["id"])))

    async def page(self, call: Call) -> Any:
        """Inferences, newest first, from behind ``exclusive_start_key`` on."""
        records = (await call.records.all("inference"))[::-1]
        limit = int(call.request.query_params.get("limit", 10))
        after = call.request.query_params.get("exclusive_start_key")
        ids = [record["id"] for record in records]
        first = ids.index(after) + 1 if after in ids else 0
        rows = [await self._row_later(call, record) for record in records[first : first + limit]]
        last = ids[first + limit - 1] if first + limit < len(ids) else None
        return Reply({"inferences": rows, "last_evaluated_key": last})

    async def delete(self, call: Call) -> Any:
        """Delete by ids; unknown ones are no error."""
        call.need("inference_id_list")
        for inference_id in call.texts("inference_id_list", least=1, most=100):
            await call.records.drop("inference", inference_id)
        return Reply(status=204)

    # What both do.

    async def _prepared(self, call: Call, endpoint_name: Any) -> dict[str, Any]:
        task_type = call.body.get("task_type")
        if task_type not in TASK_TYPES:
            raise Refused(400, f"task_type must be one of {', '.join(TASK_TYPES)}", key="errMsg")
        if call.generation == "2023" and not endpoint_name and not call.body.get("user_id"):
            raise Refused(400, "sagemaker_endpoint_name is required", key="errMsg")
        endpoint = await endpoints.ready(call, str(endpoint_name or ""))
        if endpoint is None and call.generation == "2023":
            raise Refused(400, "no endpoint is in service", key="errMsg")
        if task_type in ("txt2img", "img2img"):
            await check_models(call, call.body.get("models"))
        inference_id = call.new_id()
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

    async def _parameters(self, record: dict[str, Any]) -> dict[str, Any]:
        path = self._objects.path(_upload_key(record))
        try:
            document = json.loads(await asyncio.to_thread(path.read_bytes))
        except FileNotFoundError:
            raise Refused(400, "the parameters were not uploaded", key="errMsg") from None
        except ValueError:
            raise Refused(400, "the parameters are not JSON", key="errMsg") from None
        if not isinstance(document, dict):
            raise Refused(400, "the parameters must be an object", key="errMsg")
        return cast("dict[str, Any]", document)

    async def _started(self, call: Call, record: dict[str, Any], parameters: Any) -> dict[str, Any]:
        work = await work_of(call.world, record["task_type"], parameters)
        order = work.order
        if work.loras:
            profiles = await loras.profiles(call, work.loras, record["models"].get("Lora") or [])
            order = Order(order.function, {**order.arguments, "profiles": profiles})
        elif "controls" in order.arguments:
            order = Order(order.function, {**order.arguments, "profiles": []})
        task = await call.begin("inference", record["id"], order)
        await self._objects.keep(_dump_key(record), json.dumps(work.values, ensure_ascii=False).encode())
        return await call.records.put("inference", record["id"], {**record, "task": task})

    async def _run_later(self, call: Call, record: dict[str, Any], parameters: dict[str, Any]) -> Reply:
        record = await self._started(call, record, parameters)
        if record["type"] == REAL_TIME:
            view = await self._view(call, record)
            assert view is not None and view.task is not None  # noqa: PT018, S101 - it was just accepted
            await call.world.tasks.finish(view.task)
            return Reply(await self._row_later(call, record))
        row = await self._row_later(call, record)
        return Reply({**row, "inference": {**_running(record), "id": record["id"]}}, 202, "Accepted")

    def _inference(self, call: Call, record: dict[str, Any]) -> dict[str, Any]:
        """What a prepared inference is told by."""
        key = _upload_key(record)
        models = [
            {"id": f"{kind}-checkpoints", "name": names, "type": kind} for kind, names in record["models"].items()
        ]
        return {
            "id": record["id"],
            "type": record["task_type"],
            "api_params_s3_location": location(key),
            "api_params_s3_upload_url": self._objects.upload_link(key, origin=call.origin, seconds=PARAMETER_UPLOAD_S),
            "models": models,
        }

    async def _row(self, call: Call, record: dict[str, Any]) -> dict[str, Any]:
        view = await self._view(call, record)
        row: dict[str, Any] = {
            "InferenceJobId": record["id"],
            "status": "created" if view is None else STATES[view.phase],
            "taskType": record["task_type"],
            "startTime": stamp(record["created"]),
            "params": {
                "input_body_s3": location(_upload_key(record)),
                "sagemaker_inference_endpoint_name": record["endpoint"],
                "used_models": record["models"],
                "output_path": location(f"out/{record['id']}"),
            },
            "owner_group_or_role": [record["user"]],
        }
        if view is not None and view.outcome is not None and view.phase in (Phase.SUCCESS, Phase.FAILED):
            row["completeTime"] = stamp(view.task.ends_at)
            row["sagemakerRaw"] = str({"failureReason": view.outcome.failed}) if view.outcome.failed else ""
        if view is not None and view.phase is Phase.SUCCESS:
            row["inference_info_name"] = f"/tmp/{record['id']}_param.json"  # noqa: S108 - as the service says it
            row["image_names"] = [f"image_{index}.jpg" for index in range(_count(view))]
        return row

    async def _row_later(self, call: Call, record: dict[str, Any]) -> dict[str, Any]:
        row, view = await self._row(call, record), await self._view(call, record)
        done = view is not None and view.phase is Phase.SUCCESS
        return {
            **row,
            "id": record["id"],
            "inference_type": record["type"],
            "createTime": row["startTime"],
            "img_presigned_urls": _picture_links(call, view) if view is not None and done else [],
            "output_presigned_urls": [self._objects.download_link(_dump_key(record), origin=call.origin)]
            if done
            else [],
        }

    async def _view(self, call: Call, record: dict[str, Any]) -> View | None:
        return None if record["task"] is None else await call.view("inference", record["task"])

    async def _found(self, call: Call, inference_id: str) -> dict[str, Any]:
        record = await call.records.get("inference", inference_id)
        if record is None:
            raise Refused(404 if call.generation == "2024" else 500, f"inference with id {inference_id} not found")
        return record


def _payload(text: Any) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise Refused(400, "payload_string must be valid json string")
    return cast("dict[str, Any]", document)


def _running(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "inference_id": record["id"],
        "status": "inprogress",
        "endpoint_name": record["endpoint"],
        "output_path": location(f"out/{record['id']}"),
    }


def _upload_key(record: dict[str, Any]) -> str:
    return f"{record['task_type']}/infer_v2/{record['id']}/api_param.json"


def _dump_key(record: dict[str, Any]) -> str:
    return f"out/{record['id']}/result/{record['id']}_param.json"


def _count(view: View) -> int:
    return len(view.outcome.pictures) if view.outcome else 0


def _picture_links(call: Call, view: View) -> list[str]:
    if view.phase is not Phase.SUCCESS or view.outcome is None:
        return []
    seconds = min(call.world.settings.link_seconds, DOWNLOAD_S)
    folder = f"tasks/{service('inference')}/{view.task.task_id}"
    return [
        call.world.links.make(f"{folder}/{picture.raw}", origin=call.origin, seconds=seconds)
        for picture in view.outcome.pictures
    ]
