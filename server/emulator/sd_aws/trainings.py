"""Trainings: what a data set shows, learnt into a LoRA (contract: POST /trainings, list_trainings).

The engine learns from the uploaded pictures for real; a finished training is a checkpoint that prompts can call up.
How v1.3 and v1.4 make and start one is in ``trainings_2023``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_aws.calls import RESTFUL, CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.checkpoint_records import check_names
from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.models import BASE, list_checkpoints
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.paging import build_no_number, read_page
from atelier_mcp.server.emulator.sd_aws.people import get_user_or_crash
from atelier_mcp.server.emulator.sd_aws.training_outcomes import (
    LIST_WORDS,
    LOG_NAME,
    build_log_key,
    get_word,
    settle,
)
from atelier_mcp.server.emulator.sd_aws.training_records import (
    TRAIN,
    build_old_row,
    create_record,
    list_old_rows,
    start_record,
)

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

FM_TYPES: Final = ("sd_1_5", "sd_xl")


def build_rows() -> list[CallRow]:
    """The calls of v1.4 and later."""
    return [
        CallRow(
            method="POST", path="/trainings", handler=create, versions=("1.5", "1.7"), form="create_training",
            right=TRAIN,
        ),
        CallRow(method="GET", path="/trainings", handler=list_all, versions=RESTFUL, is_gated=True, right=TRAIN),
        CallRow(method="GET", path="/trainings/{id}", handler=get_one, right=TRAIN),
        CallRow(method="DELETE", path="/trainings", handler=delete, form="delete_trainings", right=TRAIN),
    ]  # fmt: skip


async def create(call: SdAwsCall) -> Any:
    """Begin a training at once."""
    params = call.body["params"]
    options, config = params["training_params"], params["config_params"]
    if str(call.body["lora_train_type"]).lower() != "kohya":
        text = f"Invalid lora train type: {call.body['lora_train_type']}, the valid value is kohya."
        raise SdAwsHttpError(400, text)
    if call.version.has_flat_trainings:
        config = _read_config(config)
    name = str((config if call.version.has_flat_trainings else config["saving_arguments"])["output_name"])
    if call.version.has_flat_trainings:
        await _check_name(call, f"{name}.safetensors")
    training_id = call.create_id()
    training_params = await _resolve(call, options, training_id)
    record = await create_record(
        call,
        training_id,
        kind="Stable-diffusion",
        model="kohya",
        name=name,
        file=f"{name}.safetensors",
        sets=[options["dataset"]],
        params={**params, "training_params": training_params, "config_params": config, "training_type": "kohya"},
        roles=(await get_user_or_crash(call, call.user))["roles"],
    )
    record = await start_record(call, record)
    places = {
        "input_location": build_location(f"kohya/train/{training_id}/input"),
        "output_location": _build_output(call, training_id),
    }
    shown = record["params"] if call.version.has_flat_trainings else _with_texts(record["params"])
    word, created = await get_word(call, record), str(record["created"])
    data = {"id": training_id, "status": word, "created": created, "params": shown, **places}
    return SdAwsApiResponse(data, 201, "Created")


async def list_all(call: SdAwsCall) -> Any:
    """Trainings; one in a state the code cannot read breaks the list (contract: conventions.states.training)."""
    if not call.version.has_pages:
        return SdAwsApiResponse({"trainJobs": await list_old_rows(call)})
    page, last = read_page(call, await call.records.list_all("training"))
    rows = [await _build_row(call, await settle(call, record)) for record in page]
    # After paging: only a page that shows such a row breaks.
    for row in rows:
        if row["status"] not in LIST_WORDS:
            raise SdAwsHttpError(400, repr(row["status"]))
    if not page and call.version.drops_key_of_nothing:
        return SdAwsApiResponse({"trainings": []})
    return SdAwsApiResponse({"trainings": rows, "last_evaluated_key": last})


async def get_one(call: SdAwsCall) -> Any:
    """One training; that of v1.4 crashes on any there is."""
    record = await call.records.get("training", call.path_id)
    if record is None:
        raise SdAwsHttpError(404, f"Job with id {call.path_id} not found")
    if not call.version.has_kohya:
        raise CodeFault("a training cannot be told")
    record = await settle(call, record)
    data = {
        "id": record["id"],
        "checkpoint_id": "" if call.version.has_flat_trainings else record["id"],
        "job_status": await get_word(call, record),
        "model_id": "kohya",
        "params": _build_params(record),
        "timestamp": str(record["created"]),
        "train_type": record["kind"],
    }
    if call.version.has_flat_trainings:
        data |= {"sagemaker_train_name": record["train_name"], "logs": _list_logs(call, record)}
    return SdAwsApiResponse(data)


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error. In v1.5 the file of the base model goes too."""
    for training_id in call.read_texts("training_id_list"):
        record = await call.records.get("training", training_id)
        if record is not None and call.version.deletes_base_with_training:
            # The file alone is gone; its checkpoint stays listed, and nothing says that it is empty
            # (contract: answered.deletions).
            place = str(record["params"]["training_params"]["s3_model_path"])
            await call.objects.delete(place.removeprefix(build_location("")))
        await call.records.delete("training", training_id)
    return SdAwsApiResponse(status=204)


async def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    name = record["file"] if call.version.has_flat_trainings else "not_applied"
    return {**(await build_old_row(call, record)), "modelName": name, "params": _build_params(record)}


def _build_params(record: dict[str, Any]) -> dict[str, Any]:
    resp = {} if record["resp"] is None else {"resp": record["resp"]}
    return {**_with_texts(record["params"]), **resp}


def _list_logs(call: SdAwsCall, record: dict[str, Any]) -> list[dict[str, str]]:
    if not record["has_log"]:
        return []
    link = call.objects.create_download_link(build_log_key(record), origin=call.origin)
    return [{"filename": LOG_NAME, "url": link}]


def _read_config(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of v1.7, whose numbers may be texts; raises SdAwsHttpError."""
    read = dict(config)
    for name in ("save_every_n_epochs", "max_train_epochs"):
        if not config.get(name):
            raise SdAwsHttpError(400, f"Missing config_params.{name}")
        try:
            read[name] = int(config[name])
        except (TypeError, ValueError):
            raise SdAwsHttpError(400, build_no_number(config[name])) from None
    return read


async def _check_name(call: SdAwsCall, file: str) -> None:
    """No two checkpoints of a name, those of other trainings to come among them; raises SdAwsHttpError."""
    await check_names(call, [file])
    # Since v1.7 a training has no checkpoint until its end, so check_names does not see those under way.
    if any(record["file"] == file for record in await call.records.list_all("training")):
        raise SdAwsHttpError(400, f"{file} already exists, please use another or rename/delete exists")


async def _resolve(call: SdAwsCall, options: dict[str, Any], training_id: str) -> dict[str, Any]:
    """Where the base model and the data set lie; raises SdAwsHttpError for those there are not."""
    fm_type = options["fm_type"]
    records = [r for r in await list_checkpoints(call) if r["status"] == "Active" and r["type"] == BASE]
    base = next((record for record in records if options["model"] in record["names"]), None)
    if base is None:
        raise SdAwsHttpError(400, "Model not found")
    if await call.records.get("dataset", str(options["dataset"])) is None:
        raise SdAwsHttpError(400, "Dataset not found")
    if fm_type not in FM_TYPES:
        raise SdAwsHttpError(400, f"Invalid fm_type {fm_type}, the valid values are sd_1_5 and sd_xl")
    suffix = "_xl" if fm_type == "sd_xl" else ""
    return {
        "training_instance_type": options["training_instance_type"],
        "fm_type": fm_type,
        "s3_model_path": f"{base['s3_location']}/{options['model']}",
        "s3_data_path": build_location(f"dataset/{options['dataset']}"),
        "s3_toml_path": build_location(f"kohya/train/{training_id}/input/kohya_config_cloud{suffix}.toml"),
    }


def _build_output(call: SdAwsCall, training_id: str) -> str:
    if call.version.has_flat_trainings:
        return build_location(f"Stable-diffusion/checkpoint/custom/{training_id}")
    return build_location(f"kohya/train/{training_id}/output")


def _with_texts(value: Any) -> Any:
    """A document with its numbers as texts, as the table gives them back."""
    match value:
        case bool():
            return value
        case int() | float():
            return str(value)
        case dict():
            return {key: _with_texts(item) for key, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_with_texts(item) for item in cast("list[Any]", value)]
        case _:
            return value
