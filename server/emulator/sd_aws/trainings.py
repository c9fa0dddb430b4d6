"""Trainings: what a data set shows, learnt into a LoRA (contract: create_training, update_training, list_trainings).

The engine learns from the uploaded pictures for real; a finished training is a checkpoint that prompts can call up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_aws import bases
from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, Reply, service
from atelier_mcp.server.emulator.sd_aws.datasets import key_of
from atelier_mcp.server.emulator.sd_aws.loras import STATES
from atelier_mcp.server.emulator.sd_aws.objects import Objects, location
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door
    from atelier_mcp.server.emulator.sd_aws.inferences import Inferences
    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.world import World

LEARN: Final = "atelier_mcp.server.engine.studio:learn"
PREPARE: Final = "atelier_mcp.server.engine.studio:training_picture"


class Trainings:
    """The calls about trainings."""

    def __init__(self, world: World, objects: Objects, inferences: Inferences) -> None:
        """Learn from ``objects``; ``inferences`` share a path (create_training.wrong_path)."""
        self._world, self._objects, self._inferences = world, objects, inferences
        world.tasks.render_with(service("training"), self._learn)

    def offer(self, door: Door) -> None:
        """Hang up the calls."""
        door.legacy("POST", "/train", self.create)
        door.legacy("POST", "/train-api/train", self.create)
        door.legacy("PUT", "/inference/v2/{id}/run", self.create_or_run)
        door.legacy("PUT", "/train", self.start)
        door.legacy("GET", "/trains", self.listed)
        door.restful("POST", "/trainings", self.create_later)
        door.restful("GET", "/trainings", self.listed_later)
        door.restful("GET", "/trainings/{id}", self.one_later)
        door.restful("DELETE", "/trainings", self.delete)

    async def create_or_run(self, call: Call) -> Any:
        """A training where the body names one, else the inference of the path is run."""
        if "train_type" in call.body or "model_id" in call.body:
            return await self._create(call)
        return await self._inferences.run(call)

    async def create(self, call: Call) -> Any:
        """Note a training; nothing runs yet."""
        if call.switches.documented_trainings:
            raise Refused(403, "no such route")
        return await self._create(call)

    async def start(self, call: Call) -> Any:
        """Let a training run; one that runs stays as it is, one that is over is refused (update_training.restart)."""
        call.need("train_job_id", "status")
        record = await call.records.get("training", call.text("train_job_id"))
        if record is None:
            raise Refused(404, f"train job with id {call.text('train_job_id')} is not found")
        if call.text("status") != "Training":
            raise Refused(400, "status must be Training")
        word = await _state(call, record)
        if word in ("Complete", "Fail"):
            raise Refused(400, f"the training is over: {word}")
        record = await self._started(call, record) if word == "Initial" else record
        return {"statusCode": 200, "job": {**_job(record), "status": "Training", "created": record["created"]}}

    async def listed(self, call: Call) -> Any:
        """All trainings by kind and state."""
        kinds, states = call.many("types"), call.many("status")
        rows = [await _row(call, r) for r in await call.records.all("training")]
        rows = [r for r in rows if (not kinds or r["trainType"] in kinds) and (not states or r["status"] in states)]
        return {"statusCode": 200, "trainJobs": rows}

    async def create_later(self, call: Call) -> Any:
        """Begin a training at once."""
        call.need("lora_train_type", "params")
        if call.text("lora_train_type") != "kohya":
            raise Refused(400, "lora_train_type must be kohya")
        params = _object(call.body, "params")
        options = _object(params, "training_params")
        missing = [name for name in ("training_instance_type", "model", "dataset", "fm_type") if name not in options]
        if missing or "config_params" not in params:
            raise Refused(400, f"object has missing required properties ({missing or ['config_params']})")
        if options["fm_type"] not in ("sd_1_5", "sd_xl"):
            raise Refused(400, "fm_type must be sd_1_5 or sd_xl")
        name = str(_nested(params, "config_params", "saving_arguments", "output_name") or options["dataset"])
        record = await self._noted(call, name, "kohya", params, [str(options["dataset"])])
        record = await self._started(call, record)
        return Reply({"id": record["id"], "job_status": "Training", "params": params}, 201, "Created")

    async def listed_later(self, call: Call) -> Any:
        """All trainings."""
        return Reply({"trainings": [await _row_later(call, r) for r in await call.records.all("training")]})

    async def one_later(self, call: Call) -> Any:
        """One training."""
        record = await call.records.get("training", call.request.path_params["id"])
        if record is None:
            raise Refused(404, f"training with id {call.request.path_params['id']} not found")
        return Reply(await _row_later(call, record))

    async def delete(self, call: Call) -> Any:
        """Delete by ids; unknown ones are no error."""
        call.need("training_id_list")
        for training_id in call.texts("training_id_list", least=1, most=100):
            await call.records.drop("training", training_id)
        return Reply(status=204)

    async def _create(self, call: Call) -> Any:
        call.need("train_type", "model_id", "params")
        base = await call.records.get("base", call.text("model_id"))
        if base is None or await bases.state(call, base) != "Complete":
            raise Refused(500, f"model with id {call.text('model_id')} is not found or not Complete")
        params = _object(call.body, "params")
        tars = _object(params, "training_params").get("data_tar_list")
        if not isinstance(tars, list) or not tars:
            raise Refused(500, "missing key: data_tar_list")
        sets = [str(place).removeprefix(location("dataset/")) for place in cast("list[Any]", tars)]
        name = str(_nested(params, "config_params", "model_name") or base["name"])
        record = await self._noted(call, name, call.text("train_type"), params, sets)
        return {"statusCode": 200, "job": _job(record), "s3PresignUrl": self._config_links(call, record)}

    async def _noted(self, call: Call, name: str, kind: str, params: dict[str, Any], sets: list[str]) -> dict[str, Any]:
        for dataset in sets:
            found = await call.records.get("dataset", dataset)
            if found is None or found["status"] != "Enabled":
                raise Refused(400, f"dataset {dataset} is not found or not Enabled")
        training_id = call.new_id()
        record = {
            "name": name, "kind": kind, "params": params, "sets": sets, "task": None, "created": call.now,
            "file": f"{name}-{training_id[:8]}.safetensors",
        }  # fmt: skip
        return await call.records.put("training", training_id, record)

    async def _started(self, call: Call, record: dict[str, Any]) -> dict[str, Any]:
        files: list[str] = []
        for name in record["sets"]:
            dataset = await call.records.get("dataset", name) or {"items": []}
            files += [key_of(name, item["filename"]) for item in dataset["items"]]
        task = await call.begin("training", record["id"], Order(LEARN, {"files": files}))
        return await call.records.put("training", record["id"], {**record, "task": task})

    async def _learn(self, _task: Task, arguments: dict[str, Any]) -> bytes:
        """Learn from the uploaded pictures, one read at a time."""
        prepared: list[bytes] = []
        for key in arguments["files"]:
            path = self._objects.path(key)
            if not path.is_file():
                raise ValueError(f"{key} was not uploaded")
            picture = await self._world.sources.unmarked(await asyncio.to_thread(path.read_bytes))
            prepared.append(await self._world.engine.run(PREPARE, picture=picture, main_object="Style"))
        return await self._world.engine.run(LEARN, pictures=prepared)

    def _config_links(self, call: Call, record: dict[str, Any]) -> dict[str, str] | None:
        given: list[Any] = call.body.get("filenames") or []
        names = [str(_nested(entry, "filename") or entry) for entry in given]
        key = f"train/{record['name']}/{record['id']}/input"
        return {n: self._objects.upload_link(f"{key}/{n}", origin=call.origin) for n in names} or None


async def _state(call: Call, record: dict[str, Any]) -> str:
    if record["task"] is None:
        return "Initial"
    return STATES[(await call.phase("training", record["task"]))[0]]


def _job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": "Initial",
        "trainType": record["kind"],
        "params": record["params"],
        "input_location": location(f"train/{record['name']}/{record['id']}/input"),
    }


async def _row(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "modelName": record["name"],
        "status": await _state(call, record),
        "trainType": record["kind"],
        "created": record["created"],
        "sagemakerTrainName": f"train-{record['id'][:8]}" if record["task"] else "",
    }


async def _row_later(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    word = await _state(call, record)
    return {
        "id": record["id"],
        "job_status": "Completed" if word == "Complete" else word,
        "train_type": record["kind"],
        "params": record["params"],
        "created": record["created"],
    }


def _object(holder: Any, name: str) -> dict[str, Any]:
    value = holder.get(name)
    if not isinstance(value, dict):
        raise Refused(400, f"{name} must be an object")
    return cast("dict[str, Any]", value)


def _nested(holder: Any, *names: str) -> Any:
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # JSON
    return holder  # pyright: ignore[reportUnknownVariableType] # JSON
