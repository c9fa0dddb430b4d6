"""Trainings as v1.3 and v1.4 make them: of a training base, first made and then started.

(contract: create_training, update_training, list_trainings)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws import training_bases
from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.parameters import read_object
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user, may
from atelier_mcp.server.emulator.sd_aws.training_records import TRAIN, create_record, list_old_rows, start_record

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall


def build_rows() -> list[CallRow]:
    """The calls of both versions."""
    old = ("1.3",)
    return [
        CallRow(method="POST", path="/train", handler=create_named, versions=old, form="create_training"),
        CallRow(method="POST", path="/train-api/train", handler=create, versions=old, form="create_training"),
        CallRow(method="PUT", path="/train", handler=start_2023, versions=old),
        CallRow(method="GET", path="/trains", handler=list_2023, versions=old, is_gated=True),
        CallRow(method="POST", path="/trainings", handler=create, versions=("1.4",), form="create_training"),
        CallRow(method="PUT", path="/trainings/{id}/start", handler=start, versions=("1.4",)),
        CallRow(method="PUT", path="/trainings/{id}/stop", handler=stop, versions=("1.4",)),
    ]


async def create_named(call: SdAwsCall) -> Any:
    """Note a training whose parameters name its base; nothing runs yet."""
    return await _create(call, is_named=True)


async def create(call: SdAwsCall) -> Any:
    """Note a training; nothing runs yet."""
    return await _create(call, is_named=False)


async def start_2023(call: SdAwsCall) -> Any:
    """Let a training run; no other state can be set (update_training.other_status)."""
    for name in ("train_job_id", "status"):
        if name not in call.body:
            raise CodeFault(repr(name), "KeyError")
    record = await _get_record(call, str(call.body["train_job_id"]))
    if call.body["status"] != "Training":
        return {"statusCode": 200, "msg": f"not implemented for train job status {call.body['status']}"}
    record = await start_record(call, record)
    return {"statusCode": 200, "job": {**_build_job(record), "status": "Training", "created": record["created"]}}


async def list_2023(call: SdAwsCall) -> Any:
    """All trainings by kind and state."""
    return {"statusCode": 200, "trainJobs": await list_old_rows(call)}


async def start(call: SdAwsCall) -> Any:
    """Let a training run."""
    await start_record(call, await _get_record(call, call.path_id))
    return SdAwsApiResponse(None, 202, "Accepted")


async def stop(call: SdAwsCall) -> Any:
    """Write that it was stopped, which stops nothing."""
    record = await _get_record(call, call.path_id)
    await call.records.put("training", record["id"], {**record, "word": "Stopped"})
    return SdAwsApiResponse()


async def _create(call: SdAwsCall, *, is_named: bool) -> Any:
    creator = await _get_creator(call)
    base = await training_bases.get_complete(call, str(call.body["model_id"]))
    params = call.body["params"]
    params, config = read_object(params), read_object(read_object(params).get("config_params"))
    if "training_params" not in params:
        raise SdAwsHttpError(200 if call.version.is_legacy else 500, "'training_params'")
    options = read_object(params["training_params"])
    if is_named:
        path = training_bases.build_output(base)
        named = {"model_name": base["name"], "model_type": base["model_type"], "s3_model_path": path}
        params = {**params, "training_params": {**options, **named}}
    tars: list[Any] = options.get("data_tar_list") or []
    epochs = config.get("num_train_epochs", 100)
    training_id = call.create_id()
    record = await create_record(
        call,
        training_id,
        kind=str(call.body["train_type"]),
        model=base["name"],
        name=base["name"],
        file=f"{base['name']}_{epochs}.safetensors",
        # Back from the storage location, which is how these versions name a data set, to its name.
        sets=[str(place).removeprefix(build_location("dataset/")).partition("/")[0] for place in tars],
        params=params,
        roles=creator["roles"],
    )
    data = {"job": _build_job(record), "s3PresignUrl": _create_config_links(call, record)}
    return {"statusCode": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data, 201, "Created")


async def _get_creator(call: SdAwsCall) -> dict[str, Any]:
    name = str(call.body["creator"])
    user = await find_user(call, name)
    if user is None:
        raise SdAwsHttpError(200 if call.version.is_legacy else 500, build_unknown(name))
    if not may(user, TRAIN):
        raise SdAwsHttpError(400, f"user {name} has not permission to create a train job", key="errMsg")
    return user


async def _get_record(call: SdAwsCall, training_id: str) -> dict[str, Any]:
    record = await call.records.get("training", training_id)
    if record is None:
        raise SdAwsHttpError(500 if call.version.is_legacy else 404, f"no such train job with id({training_id})")
    return record


def _create_config_links(call: SdAwsCall, record: dict[str, Any]) -> dict[str, str] | None:
    if call.body.get("filenames") is None:
        return None
    names = [str(name) for name in call.body["filenames"]]
    folder = _build_input_key(record)
    return {name: call.objects.create_upload_link(f"{folder}/{name}", origin=call.origin) for name in names}


def _build_input_key(record: dict[str, Any]) -> str:
    return f"{record['kind']}/train/{record['model']}/{record['id']}/input"


def _build_job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": "Initial",
        "trainType": record["kind"],
        "params": record["params"],
        "input_location": build_location(_build_input_key(record)),
    }
