"""Trainings: what a data set shows, learnt into a LoRA (contract: create_training, update_training, list_trainings).

The engine learns from the uploaded pictures for real; a finished training is a checkpoint that prompts can call up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws import inferences, training_bases
from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall
from atelier_mcp.server.emulator.sd_aws.datasets import build_key
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.parameters import get_nested, read_object
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.emulator.sd_aws.calls import CallRow
    from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

LEARN: Final = "learn"
PREPARE: Final = "training_picture"
STATES: Final = {
    Phase.PENDING: "Training", Phase.RUNNING: "Training", Phase.SUCCESS: "Complete", Phase.FAILED: "Fail",
}  # fmt: skip


def build_rows() -> list[CallRow]:
    """The calls of both generations; a path is shared with running an inference (create_training.wrong_path)."""
    return [
        ("2023", "POST", "/train", create),
        ("2023", "POST", "/train-api/train", create),
        ("2023", "PUT", "/inference/v2/{id}/run", create_or_run),
        ("2023", "PUT", "/train", start),
        ("2023", "GET", "/trains", list_all),
        ("2024", "POST", "/trainings", create_restful),
        ("2024", "GET", "/trainings", list_restful),
        ("2024", "GET", "/trainings/{id}", get_restful),
        ("2024", "DELETE", "/trainings", delete),
    ]


async def create_or_run(call: SdAwsCall) -> Any:
    """A training where the body names one, else the inference of the path is run."""
    if "train_type" in call.body or "model_id" in call.body:
        return await _create(call)
    return await inferences.run(call)


async def create(call: SdAwsCall) -> Any:
    """Note a training; nothing runs yet."""
    if call.switches.documented_trainings:
        raise SdAwsHttpError(403, "no such route")
    return await _create(call)


async def start(call: SdAwsCall) -> Any:
    """Let a training run; one that runs stays as it is, one that is over is refused (update_training.restart)."""
    call.require("train_job_id", "status")
    record = await call.records.get("training", call.read_text("train_job_id"))
    if record is None:
        raise SdAwsHttpError(404, f"train job with id {call.read_text('train_job_id')} is not found")
    # No other state can be set (update_training.other_status).
    if call.read_text("status") != "Training":
        raise SdAwsHttpError(400, "status must be Training")
    word = await _get_state(call, record)
    if word in ("Complete", "Fail"):
        raise SdAwsHttpError(400, f"the training is over: {word}")
    record = await _start(call, record) if word == "Initial" else record
    return {"statusCode": 200, "job": {**_build_job(record), "status": "Training", "created": record["created"]}}


async def list_all(call: SdAwsCall) -> Any:
    """All trainings by kind and state."""
    kinds, states = call.read_query_list("types"), call.read_query_list("status")
    rows = [await _build_row(call, r) for r in await call.records.list_all("training")]
    rows = [r for r in rows if (not kinds or r["trainType"] in kinds) and (not states or r["status"] in states)]
    return {"statusCode": 200, "trainJobs": rows}


async def create_restful(call: SdAwsCall) -> Any:
    """Begin a training at once."""
    call.require("lora_train_type", "params")
    if call.read_text("lora_train_type") != "kohya":
        raise SdAwsHttpError(400, "lora_train_type must be kohya")
    params = read_object(call.body, "params")
    options = read_object(params, "training_params")
    missing = [name for name in ("training_instance_type", "model", "dataset", "fm_type") if name not in options]
    if missing or "config_params" not in params:
        raise SdAwsHttpError(400, f"object has missing required properties ({missing or ['config_params']})")
    if options["fm_type"] not in ("sd_1_5", "sd_xl"):
        raise SdAwsHttpError(400, "fm_type must be sd_1_5 or sd_xl")
    name = str(get_nested(params, "config_params", "saving_arguments", "output_name") or options["dataset"])
    record = await _create_record(call, name, "kohya", params, [str(options["dataset"])])
    record = await _start(call, record)
    return SdAwsApiResponse({"id": record["id"], "job_status": "Training", "params": params}, 201, "Created")


async def list_restful(call: SdAwsCall) -> Any:
    """All trainings."""
    return SdAwsApiResponse(
        {"trainings": [await _build_restful_row(call, r) for r in await call.records.list_all("training")]}
    )


async def get_restful(call: SdAwsCall) -> Any:
    """One training."""
    record = await call.records.get("training", call.request.path_params["id"])
    if record is None:
        raise SdAwsHttpError(404, f"training with id {call.request.path_params['id']} not found")
    return SdAwsApiResponse(await _build_restful_row(call, record))


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    call.require("training_id_list")
    for training_id in call.read_texts("training_id_list", least=1, most=100):
        await call.records.delete("training", training_id)
    return SdAwsApiResponse(status=204)


async def _create(call: SdAwsCall) -> Any:
    call.require("train_type", "model_id", "params")
    base = await call.records.get("base", call.read_text("model_id"))
    if base is None or await training_bases.get_state(call, base) != "Complete":
        raise SdAwsHttpError(500, f"model with id {call.read_text('model_id')} is not found or not Complete")
    params = read_object(call.body, "params")
    tars = read_object(params, "training_params").get("data_tar_list")
    if not isinstance(tars, list) or not tars:
        raise SdAwsHttpError(500, "missing key: data_tar_list")
    sets = [str(place).removeprefix(build_location("dataset/")) for place in cast("list[Any]", tars)]
    name = str(get_nested(params, "config_params", "model_name") or base["name"])
    record = await _create_record(call, name, call.read_text("train_type"), params, sets)
    return {"statusCode": 200, "job": _build_job(record), "s3PresignUrl": _create_config_links(call, record)}


async def _create_record(
    call: SdAwsCall, name: str, kind: str, params: dict[str, Any], sets: list[str]
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


async def _start(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    files: list[str] = []
    for name in record["sets"]:
        dataset = await call.records.get("dataset", name) or {"items": []}
        files += [build_key(name, item["filename"]) for item in dataset["items"]]
    task = await call.start_task("training", record["id"], EngineTask(LEARN, {"files": files}))
    return await call.records.put("training", record["id"], {**record, "task": task})


def _create_config_links(call: SdAwsCall, record: dict[str, Any]) -> dict[str, str] | None:
    entries: list[Any] = call.body.get("filenames") or []
    names = [str(get_nested(entry, "filename") or entry) for entry in entries]
    key = f"train/{record['name']}/{record['id']}/input"
    return {n: call.objects.create_upload_link(f"{key}/{n}", origin=call.origin) for n in names} or None


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


def build_learner(
    emulator: EmulatorState, objects: ObjectStore
) -> Callable[[TaskRecord, dict[str, Any]], Awaitable[bytes]]:
    """What renders a training: it learns from the uploaded pictures, one read at a time."""

    async def learn(_task: TaskRecord, arguments: dict[str, Any]) -> bytes:
        images: list[bytes] = []
        for key in arguments["files"]:
            path = objects.build_path(key)
            if not path.is_file():
                raise ValueError(f"{key} was not uploaded")
            image = await emulator.sources.find_unmarked(await asyncio.to_thread(path.read_bytes))
            images.append(await emulator.run_engine(PREPARE, picture=image, main_object="Style"))
        return await emulator.run_engine(LEARN, pictures=images)

    return learn
