"""Training bases: a checkpoint made ready to be trained on, in v1.3 and v1.4.

(contract: create_model, update_model, list_models)
"""

from __future__ import annotations

from typing import Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse, SdAwsCall
from atelier_mcp.server.emulator.sd_aws.checkpoint_records import get_record
from atelier_mcp.server.emulator.sd_aws.checkpoint_shape import build_record
from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import IncompleteUploadError, build_location
from atelier_mcp.server.emulator.sd_aws.paging import read_page
from atelier_mcp.server.emulator.sd_aws.people import get_user
from atelier_mcp.server.emulator.sd_aws.training_records import check_old_viewer
from atelier_mcp.server.emulator.sd_aws.uploads import begin_uploads, complete_uploads, read_files
from atelier_mcp.server.emulator.tasks import Phase

STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "Complete", Phase.FAILED: "Fail",
}  # fmt: skip
UNKNOWN_BASE: Final = (
    "__init__() missing 6 required positional arguments: 'id', 'timestamp', 'name', 'checkpoint_id', 'model_type', "
    "and 'job_status'"
)


def build_rows() -> list[CallRow]:
    """The calls about models, as the service names them."""
    old = ("1.3",)
    later = ("1.4",)
    return [
        CallRow(method="POST", path="/model", handler=create, versions=old, form="create_base"),
        CallRow(method="PUT", path="/model", handler=update_2023, versions=old, form="update_base"),
        CallRow(method="GET", path="/models", handler=list_all, versions=("1.3", "1.4"), is_gated=True),
        CallRow(method="POST", path="/models", handler=create, versions=later, form="create_base"),
        CallRow(method="PUT", path="/models/{id}", handler=update, versions=later, form="update_base"),
        CallRow(method="DELETE", path="/models", handler=delete, versions=later, form="delete_bases"),
    ]


async def create(call: SdAwsCall) -> Any:
    """Register a model and hand out links for its file's parts; one that is uploaded is a checkpoint too."""
    kind, name, files = str(call.body["model_type"]), str(call.body["name"]), read_files(call)
    checkpoint_id = call.body.get("checkpoint_id")
    if not checkpoint_id and not files:
        raise SdAwsHttpError(400, "either checkpoint_id or filenames need to be provided", key="errMsg")
    creator = await get_user(call, str(call.body["creator"]), status=call.version.other_status)
    model_id = call.create_id()
    folder = f"{kind}/checkpoint/{name}/{model_id}"
    entries, links = begin_uploads(call, files, folder)
    place = build_location(folder)
    if checkpoint_id:
        place = (await get_record(call, str(checkpoint_id)))["s3_location"]
    else:
        names = [filename for filename, _ in files]
        params = {"multipart_upload": entries}
        # Under the id of the base, which is how _update finds it.
        record = build_record(
            kind=kind, folder=folder, names=names, params=params, now=call.now, roles=creator["roles"]
        )
        await call.records.put("checkpoint", model_id, record)
    base = {
        "name": name, "model_type": kind, "task": None, "params": call.body["params"], "uploads": entries,
        "s3_base": place, "created": call.now,
    }  # fmt: skip
    base = await call.records.put("base", model_id, base)
    data = {"job": _build_job(base), "s3PresignUrl": links}
    return {"statusCode": 200, **data} if call.version.is_legacy else SdAwsApiResponse(data, 201, "Created")


async def update_2023(call: SdAwsCall) -> Any:
    """Finish the upload and begin the creation."""
    return {"statusCode": 200, "job": await _update(call, str(call.body["model_id"]))}


async def update(call: SdAwsCall) -> Any:
    """Finish the upload and begin the creation."""
    return SdAwsApiResponse({"job": await _update(call, call.path_id)})


async def list_all(call: SdAwsCall) -> Any:
    """All models by kind and state; an array (list_models.object_or_array)."""
    records = await call.records.list_all("base")
    # Nobody looks at the caller while there is nothing to show: so it was answered.
    if records:
        await check_old_viewer(call)
    page, _ = read_page(call, records)
    kinds, states = call.read_query_list("types"), call.read_query_list("status")
    rows = [await _build_row(call, record) for record in page if not kinds or record["model_type"] in kinds]
    rows = [row for row in rows if not states or row["status"] in states]
    return {"statusCode": 200, "models": rows} if call.version.is_legacy else SdAwsApiResponse({"models": rows})


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    for model_id in call.read_texts("model_id_list"):
        await call.records.delete("base", model_id)
    return SdAwsApiResponse(status=204)


async def get_complete(call: SdAwsCall, model_id: str) -> dict[str, Any]:
    """A base that can be trained on; raises SdAwsHttpError."""
    record = await call.records.get("base", model_id)
    if record is None:
        raise SdAwsHttpError(500 if call.version.is_legacy else 404, f"model with id {model_id} is not found")
    word = await _get_word(call, record)
    if word != "Complete":
        status = 500 if call.version.is_legacy else 400
        raise SdAwsHttpError(status, f"model {model_id} is in {word} state, not valid to be used for train")
    return record


def build_output(record: dict[str, Any]) -> str:
    """Where a base's files lie once it is made."""
    return build_location(f"{record['model_type']}/model/{record['name']}/{record['id']}/output")


async def _update(call: SdAwsCall, model_id: str) -> dict[str, Any]:
    record = await call.records.get("base", model_id)
    if record is None:
        raise CodeFault(UNKNOWN_BASE, "TypeError")
    _check_change(await _get_word(call, record), str(call.body["status"]))
    try:
        await complete_uploads(call, record["uploads"], call.body["multi_parts_tags"])
    except IncompleteUploadError as err:
        raise CodeFault(str(err), "ClientError") from err
    if (checkpoint := await call.records.get("checkpoint", model_id)) is not None:
        await call.records.put("checkpoint", model_id, {**checkpoint, "status": "Active"})
    task = await call.start_task("base", model_id)
    await call.records.put("base", model_id, {**record, "task": task})
    return {
        "output_path": build_location(f"sagemaker_output/{call.create_id()}.out"),
        "id": model_id,
        "endpointName": "aigc-utils-endpoint",
        "jobStatus": "Creating",
        "jobType": record["model_type"],
    }


def _check_change(word: str, wanted: str) -> None:
    """Refuse a change of state, which the code does by crashing."""
    # The code raises what is no exception, and this is what Python says to that.
    if wanted == "Fail":
        raise CodeFault("exceptions must derive from BaseException", "TypeError")
    if word == "Creating":
        raise CodeFault("model creation job is currently under progress, so cannot be updated")
    if wanted != "Creating" or word != "Initial":
        raise CodeFault("please create a new model creation job for this, not allowed overwrite old model creation job")


async def _get_word(call: SdAwsCall, record: dict[str, Any]) -> str:
    if record["task"] is None:
        return "Initial"
    view = await call.find_view("base", record["task"])
    return "Fail" if view is None else STATES[view.phase]


async def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    word, params = await _get_word(call, record), record["params"]
    if word == "Complete":
        location = f"{build_output(record).removeprefix('s3://')}/{record['name']}.tar"
        resp = {"response": {}, "config_dict": {"model_name": record["name"]}, "s3_output_location": location}
        params = {**params, "resp": resp}
    return {
        "id": record["id"],
        "model_name": record["name"],
        "created": call.format_epoch(record["created"]),
        "params": params,
        "status": word,
        "output_s3_location": build_output(record),
    }


def _build_job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": "Initial",
        "s3_base": record["s3_base"],
        "model_type": record["model_type"],
        "params": record["params"],
    }
