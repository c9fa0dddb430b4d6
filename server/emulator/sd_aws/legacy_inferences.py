"""Inferences of v1.3: prepared and run, or in the single call that was deployed.

(contract: inference_v2, get_inference_job, list_inference_jobs, answered.three_steps, answered.crashed_start)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import PlainTextResponse

from atelier_mcp.server.emulator.sd_aws import endpoints
from atelier_mcp.server.emulator.sd_aws.calls import CallRow
from atelier_mcp.server.emulator.sd_aws.errors import CodeFault, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.inference_records import (
    build_list_row,
    build_prepared_row,
    build_row,
    build_running_row,
    create_dump_link,
    create_image_links,
    list_settled,
    prepare,
    read_uploaded_parameters,
)
from atelier_mcp.server.emulator.sd_aws.inference_runs import GENERATED, settle, start_run
from atelier_mcp.server.emulator.sd_aws.paging import get_newest_place
from atelier_mcp.server.emulator.sd_aws.people import get_user_or_crash

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

NEEDED: Final = ("task_type", "sagemaker_endpoint_name", "models")


def build_rows() -> list[CallRow]:
    """The calls of v1.3."""
    old = ("1.3",)
    return [
        CallRow(method="POST", path="/inference/v2", handler=create, versions=old, form="create_inference"),
        CallRow(method="PUT", path="/inference/v2/{id}/run", handler=run, versions=old),
        CallRow(method="POST", path="/inference-api/inference", handler=create_and_run, versions=old),
        CallRow(method="GET", path="/inference/get-inference-job", handler=get_job, versions=old),
        CallRow(method="GET", path="/inference/list-inference-jobs", handler=list_jobs, versions=old),
        CallRow(method="POST", path="/inference/query-inference-jobs", handler=query_jobs, versions=old),
        CallRow(method="GET", path="/inference/get-inference-job-image-output", handler=list_image_links, versions=old),
        CallRow(method="GET", path="/inference/get-inference-job-param-output", handler=list_dump_links, versions=old),
        CallRow(method="GET", path="/inferences", handler=list_of_user, versions=old, is_gated=True),
    ]


async def create(call: SdAwsCall) -> Any:
    """Prepare; the parameters have to be put to the link, and the job to be run."""
    name = str(call.body.get("sagemaker_endpoint_name") or "")
    try:
        record = await prepare(call, user=call.body.get("user_id"), endpoint_name=name)
    except SdAwsHttpError as err:
        # A wrong kind of task and missing checkpoints are known; all else is an error of the code's.
        raise SdAwsHttpError(400 if err.key == "errMsg" else 500, err.message, key="errMsg") from err
    return {"statusCode": 200, "inference": build_prepared_row(record)}


async def run(call: SdAwsCall) -> Any:
    """Run what was prepared, also one that is over; whatever a body says."""
    record = await call.records.get("inference", call.path_id)
    if record is None:
        raise CodeFault("", "AssertionError")
    record = await settle(call, record)
    record = await start_run(call, record, await read_uploaded_parameters(call, record))
    return {"statusCode": 200, "inference": build_running_row(record)}


async def create_and_run(call: SdAwsCall) -> Any:
    """The single call; it wants a name of an endpoint, and its faults are its own.

    For other tasks than pictures it starts the job, and crashes as it comes to tell so.
    """
    if any(name not in call.body for name in NEEDED):
        return {"status": 400, "err": "task_type, sagemaker_endpoint_name, models should be in the request body"}
    name = str(call.body["sagemaker_endpoint_name"])
    try:
        await endpoints.find_ready(call, user=None, name=name, kind="")
        record = await prepare(call, user=None, endpoint_name=name)
    except SdAwsHttpError:
        # Whatever is wrong, the same text is answered: the reason is lost.
        err = f"fail to prepare inference for {call.create_id()}, no s3 location is generated"
        return {"status": 500, "err": err}
    parameters = {key: value for key, value in call.body.items() if key not in NEEDED}
    record = await start_run(call, record, parameters)
    if record["task_type"] not in GENERATED:
        raise CodeFault("'models'", "KeyError")
    prepared = build_prepared_row(record)
    shown = {name: prepared[name] for name in ("type", "api_params_s3_location", "models")}
    return {"status": 200, "inference": {**build_running_row(record), **shown}}


async def get_job(call: SdAwsCall) -> Any:
    """One job; a missing or unknown id is an error (get_inference_job.jobid_optional)."""
    job_id = call.query.get("jobID")
    if not job_id:
        raise SdAwsHttpError(500, "Inference job id must not be None or empty")
    record = await call.records.get("inference", job_id)
    if record is None:
        raise SdAwsHttpError(500, f"There is no inference job info item for id: {job_id}")
    return build_row(call, await settle(call, record))


async def list_jobs(call: SdAwsCall) -> Any:
    """All jobs, without what is not known yet."""
    return [build_row(call, record) for record in await _list_newest(call)]


async def query_jobs(call: SdAwsCall) -> Any:
    """Jobs by state, kind, endpoint and checkpoint; a limit that is none breaks it."""
    limit = call.body.get("limit")
    if isinstance(limit, int) and limit < 0:
        return PlainTextResponse("")
    rows = [build_row(call, record) for record in await _list_newest(call) if _fits(call, record)]
    return rows[: int(str(limit))] if str(limit).isdecimal() else rows


async def list_of_user(call: SdAwsCall) -> Any:
    """The jobs of the user in the query; of nobody without one."""
    user = call.query.get("username")
    if user is None:
        return {"statusCode": 200, "inferences": []}
    await get_user_or_crash(call, user)
    rows = [build_list_row(call, record) for record in await _list_newest(call) if record["user"] == user]
    return {"statusCode": 200, "inferences": rows}


async def list_image_links(call: SdAwsCall) -> Any:
    """The pictures' links; none before there are any (get_inference_images.empty_list)."""
    record = await call.records.get("inference", call.query.get("jobID", ""))
    return [] if record is None else create_image_links(call, await settle(call, record))


async def list_dump_links(call: SdAwsCall) -> Any:
    """The link of the parameter dump, whether there is one yet or not (contract: answered.output_link)."""
    record = await call.records.get("inference", call.query.get("jobID", ""))
    return [] if record is None else [create_dump_link(call, record)]


async def _list_newest(call: SdAwsCall) -> list[dict[str, Any]]:
    return await list_settled(call, sorted(await call.records.list_all("inference"), key=get_newest_place))


def _fits(call: SdAwsCall, record: dict[str, Any]) -> bool:
    body = call.body
    return (
        body.get("status") in (None, "", record["row"]["status"])
        and body.get("task_type") in (None, "", record["task_type"])
        and body.get("endpoint") in (None, "", record["endpoint"])
        and (not body.get("checkpoint") or body["checkpoint"] in record["model_names"])
    )
