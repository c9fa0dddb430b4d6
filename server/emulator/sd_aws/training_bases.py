"""Training bases: a checkpoint made ready to be trained on (contract: create_model, update_model, list_models)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall, format_time
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.uploads import MOST_PARTS, begin_uploads, complete_uploads
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow

STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "Complete", Phase.FAILED: "Fail",
}  # fmt: skip


def build_rows() -> list[CallRow]:
    """The calls about models, as the service names them; only that of 2023 has them."""
    return [
        ("2023", "POST", "/model", create),
        ("2023", "PUT", "/model", update),
        ("2023", "GET", "/models", list_all),
    ]


async def create(call: SdAwsCall) -> Any:
    """Register a model and hand out links for its file's parts."""
    call.require("model_type", "name", "params")
    checkpoint_id = call.read_text("checkpoint_id")
    params: Any = call.body["params"]
    options: Any = params.get("create_model_params") if isinstance(params, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] # JSON
    if not isinstance(options, dict):
        raise SdAwsHttpError(500, "missing key: create_model_params")
    if not (checkpoint_id or call.read_objects("filenames") or options.get("from_hub")):  # pyright: ignore[reportUnknownMemberType] # JSON
        raise SdAwsHttpError(500, "filenames, checkpoint_id or a model of the hub is needed")
    model_id = call.create_id()
    record: dict[str, Any] = {
        "name": call.read_text("name"),
        "model_type": call.read_text("model_type"),
        "status": "Initial",
        "task": None,
        "checkpoint_id": checkpoint_id,
        "names": [],
        "params": {**params, "multipart_upload": {}, "created_at": format_time(call.now)},
        "created": call.now,
    }
    prefix = f"{record['model_type']}/model/{record['name']}"
    uploads = await begin_uploads(call, record, prefix, MOST_PARTS)
    record = await call.records.put("base", model_id, record)
    links: Any = list(record["params"]["multipart_upload"].values()) if call.switches.printed_uploads else uploads
    return {"statusCode": 200, "job": {**_build_job(record), "s3PresignUrl": links}, "s3PresignUrl": links}


async def update(call: SdAwsCall) -> Any:
    """Finish the upload and begin the creation."""
    call.require("model_id", "status")
    record = await call.records.get("base", call.read_text("model_id"))
    if record is None:
        raise SdAwsHttpError(404, f"model with id {call.read_text('model_id')} is not found")
    # Refused in the body of an HTTP 200, like all here (update_model.error_as_200).
    if call.read_text("status") != "Creating":
        raise SdAwsHttpError(400, "status must be Creating")
    if record["task"] is None:
        if record["names"]:
            await complete_uploads(call, record)
        task = await call.start_task("base", record["id"])
        record = await call.records.put("base", record["id"], {**record, "task": task})
    job = {
        "output_path": build_location(f"{record['model_type']}/model/{record['name']}/output"),
        "id": record["id"],
        "endpointName": "aigc-utils-endpoint",
        # Printed Created; the code says this (update_model.job_status_word).
        "jobStatus": "Creating",
        "jobType": record["model_type"],
    }
    return {"statusCode": 200, "job": job}


async def list_all(call: SdAwsCall) -> Any:
    """All models by kind and state; an array (list_models.object_or_array)."""
    kinds, states = call.read_query_list("types"), call.read_query_list("status")
    rows = [
        await _build_row(call, r) for r in await call.records.list_all("base") if not kinds or r["model_type"] in kinds
    ]
    return {"statusCode": 200, "models": [row for row in rows if not states or row["status"] in states]}


async def get_state(call: SdAwsCall, record: dict[str, Any]) -> str:
    """A base's state now."""
    if record["task"] is None:
        return "Initial"
    return STATES[(await call.get_phase("base", record["task"]))[0]]


async def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "model_name": record["name"],
        "created": record["created"],
        "params": record["params"],
        "status": await get_state(call, record),
        "output_s3_location": build_location(f"{record['model_type']}/model/{record['name']}/output"),
    }


def _build_job(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": record["id"],
        "status": record["status"],
        "s3_base": build_location(f"{record['model_type']}/model/{record['name']}"),
        "model_type": record["model_type"],
        "params": record["params"],
    }
