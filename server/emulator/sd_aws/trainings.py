"""Trainings: what a data set shows, learnt into a LoRA (contract: create_training, update_training, list_trainings).

The engine learns from the uploaded pictures for real; a finished training is a checkpoint that prompts can call up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws import training_bases
from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, SdAwsHttpError, build_service_id
from atelier_mcp.server.emulator.sd_aws.datasets import build_key
from atelier_mcp.server.emulator.sd_aws.lora_models import STATES
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore, build_location

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsRouter
    from atelier_mcp.server.emulator.sd_aws.inferences import InferenceRoutes
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

LEARN: Final = "learn"
PREPARE: Final = "training_picture"


class TrainingRoutes:
    """The calls about trainings."""

    def __init__(self, emulator: EmulatorState, objects: ObjectStore, inferences: InferenceRoutes) -> None:
        """Learn from ``objects``; ``inferences`` share a path (create_training.wrong_path)."""
        self._emulator, self._objects, self._inferences = emulator, objects, inferences
        emulator.tasks.set_renderer(build_service_id("training"), self._learn)

    def add_routes(self, router: SdAwsRouter) -> None:
        """Add the routes."""
        router.add_legacy_route("POST", "/train", self.create)
        router.add_legacy_route("POST", "/train-api/train", self.create)
        router.add_legacy_route("PUT", "/inference/v2/{id}/run", self.create_or_run)
        router.add_legacy_route("PUT", "/train", self.start)
        router.add_legacy_route("GET", "/trains", self.list_all)
        router.add_restful_route("POST", "/trainings", self.create_restful)
        router.add_restful_route("GET", "/trainings", self.list_restful)
        router.add_restful_route("GET", "/trainings/{id}", self.get_restful)
        router.add_restful_route("DELETE", "/trainings", self.delete)

    async def create_or_run(self, call: SdAwsCall) -> Any:
        """A training where the body names one, else the inference of the path is run."""
        if "train_type" in call.body or "model_id" in call.body:
            return await self._create(call)
        return await self._inferences.run(call)

    async def create(self, call: SdAwsCall) -> Any:
        """Note a training; nothing runs yet."""
        if call.switches.documented_trainings:
            raise SdAwsHttpError(403, "no such route")
        return await self._create(call)

    async def start(self, call: SdAwsCall) -> Any:
        """Let a training run; one that runs stays as it is, one that is over is refused (update_training.restart)."""
        call.require("train_job_id", "status")
        record = await call.records.get("training", call.read_text("train_job_id"))
        if record is None:
            raise SdAwsHttpError(404, f"train job with id {call.read_text('train_job_id')} is not found")
        if call.read_text("status") != "Training":
            raise SdAwsHttpError(400, "status must be Training")
        word = await _get_state(call, record)
        if word in ("Complete", "Fail"):
            raise SdAwsHttpError(400, f"the training is over: {word}")
        record = await self._start(call, record) if word == "Initial" else record
        return {"statusCode": 200, "job": {**_build_job(record), "status": "Training", "created": record["created"]}}

    async def list_all(self, call: SdAwsCall) -> Any:
        """All trainings by kind and state."""
        kinds, states = call.read_query_list("types"), call.read_query_list("status")
        rows = [await _build_row(call, r) for r in await call.records.list_all("training")]
        rows = [r for r in rows if (not kinds or r["trainType"] in kinds) and (not states or r["status"] in states)]
        return {"statusCode": 200, "trainJobs": rows}

    async def create_restful(self, call: SdAwsCall) -> Any:
        """Begin a training at once."""
        call.require("lora_train_type", "params")
        if call.read_text("lora_train_type") != "kohya":
            raise SdAwsHttpError(400, "lora_train_type must be kohya")
        params = _read_object(call.body, "params")
        options = _read_object(params, "training_params")
        missing = [name for name in ("training_instance_type", "model", "dataset", "fm_type") if name not in options]
        if missing or "config_params" not in params:
            raise SdAwsHttpError(400, f"object has missing required properties ({missing or ['config_params']})")
        if options["fm_type"] not in ("sd_1_5", "sd_xl"):
            raise SdAwsHttpError(400, "fm_type must be sd_1_5 or sd_xl")
        name = str(_get_nested(params, "config_params", "saving_arguments", "output_name") or options["dataset"])
        record = await self._create_record(call, name, "kohya", params, [str(options["dataset"])])
        record = await self._start(call, record)
        return SdAwsApiResponse({"id": record["id"], "job_status": "Training", "params": params}, 201, "Created")

    async def list_restful(self, call: SdAwsCall) -> Any:
        """All trainings."""
        return SdAwsApiResponse(
            {"trainings": [await _build_restful_row(call, r) for r in await call.records.list_all("training")]}
        )

    async def get_restful(self, call: SdAwsCall) -> Any:
        """One training."""
        record = await call.records.get("training", call.request.path_params["id"])
        if record is None:
            raise SdAwsHttpError(404, f"training with id {call.request.path_params['id']} not found")
        return SdAwsApiResponse(await _build_restful_row(call, record))

    async def delete(self, call: SdAwsCall) -> Any:
        """Delete by ids; unknown ones are no error."""
        call.require("training_id_list")
        for training_id in call.read_texts("training_id_list", least=1, most=100):
            await call.records.delete("training", training_id)
        return SdAwsApiResponse(status=204)

    async def _create(self, call: SdAwsCall) -> Any:
        call.require("train_type", "model_id", "params")
        base = await call.records.get("base", call.read_text("model_id"))
        if base is None or await training_bases.get_state(call, base) != "Complete":
            raise SdAwsHttpError(500, f"model with id {call.read_text('model_id')} is not found or not Complete")
        params = _read_object(call.body, "params")
        tars = _read_object(params, "training_params").get("data_tar_list")
        if not isinstance(tars, list) or not tars:
            raise SdAwsHttpError(500, "missing key: data_tar_list")
        sets = [str(place).removeprefix(build_location("dataset/")) for place in cast("list[Any]", tars)]
        name = str(_get_nested(params, "config_params", "model_name") or base["name"])
        record = await self._create_record(call, name, call.read_text("train_type"), params, sets)
        return {"statusCode": 200, "job": _build_job(record), "s3PresignUrl": self._create_config_links(call, record)}

    async def _create_record(
        self, call: SdAwsCall, name: str, kind: str, params: dict[str, Any], sets: list[str]
    ) -> dict[str, Any]:
        for dataset in sets:
            dataset_record = await call.records.get("dataset", dataset)
            if dataset_record is None or dataset_record["status"] != "Enabled":
                raise SdAwsHttpError(400, f"dataset {dataset} is not found or not Enabled")
        training_id = call.create_id()
        record = {
            "name": name, "kind": kind, "params": params, "sets": sets, "task": None, "created": call.now,
            "file": f"{name}-{training_id[:8]}.safetensors",
        }  # fmt: skip
        return await call.records.put("training", training_id, record)

    async def _start(self, call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
        files: list[str] = []
        for name in record["sets"]:
            dataset = await call.records.get("dataset", name) or {"items": []}
            files += [build_key(name, item["filename"]) for item in dataset["items"]]
        task = await call.start_task("training", record["id"], EngineTask(LEARN, {"files": files}))
        return await call.records.put("training", record["id"], {**record, "task": task})

    async def _learn(self, _task: TaskRecord, arguments: dict[str, Any]) -> bytes:
        """Learn from the uploaded pictures, one read at a time."""
        images: list[bytes] = []
        for key in arguments["files"]:
            path = self._objects.build_path(key)
            if not path.is_file():
                raise ValueError(f"{key} was not uploaded")
            image = await self._emulator.sources.find_unmarked(await asyncio.to_thread(path.read_bytes))
            images.append(await self._emulator.run_engine(PREPARE, picture=image, main_object="Style"))
        return await self._emulator.run_engine(LEARN, pictures=images)

    def _create_config_links(self, call: SdAwsCall, record: dict[str, Any]) -> dict[str, str] | None:
        entries: list[Any] = call.body.get("filenames") or []
        names = [str(_get_nested(entry, "filename") or entry) for entry in entries]
        key = f"train/{record['name']}/{record['id']}/input"
        return {n: self._objects.create_upload_link(f"{key}/{n}", origin=call.origin) for n in names} or None


async def _get_state(call: SdAwsCall, record: dict[str, Any]) -> str:
    if record["task"] is None:
        return "Initial"
    return STATES[(await call.get_phase("training", record["task"]))[0]]


def _build_job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": "Initial",
        "trainType": record["kind"],
        "params": record["params"],
        "input_location": build_location(f"train/{record['name']}/{record['id']}/input"),
    }


async def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "modelName": record["name"],
        "status": await _get_state(call, record),
        "trainType": record["kind"],
        "created": record["created"],
        "sagemakerTrainName": f"train-{record['id'][:8]}" if record["task"] else "",
    }


async def _build_restful_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    word = await _get_state(call, record)
    return {
        "id": record["id"],
        "job_status": "Completed" if word == "Complete" else word,
        "train_type": record["kind"],
        "params": record["params"],
        "created": record["created"],
    }


def _read_object(holder: Any, name: str) -> dict[str, Any]:
    value = holder.get(name)
    if not isinstance(value, dict):
        raise SdAwsHttpError(400, f"{name} must be an object")
    return cast("dict[str, Any]", value)


def _get_nested(holder: Any, *names: str) -> Any:
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # JSON
    return holder  # pyright: ignore[reportUnknownVariableType] # JSON
