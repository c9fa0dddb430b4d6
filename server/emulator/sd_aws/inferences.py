"""Inferences: pictures from parameters, in one step or in three (contract: inference_v2, appendix_generation_2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.inference_records import (
    ASYNC,
    build_dump_key,
    build_prepared_row,
    build_restful_row,
    build_row,
    build_running_status,
    create_image_links,
    find_inference_view,
    get_inference,
    prepare_inference,
    read_uploaded_parameters,
    start_inference,
)
from atelier_mcp.server.emulator.sd_aws.parameters import read_query_integer
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsCall

REAL_TIME: Final = "Real-time"


def build_rows() -> list[CallRow]:
    """The calls of both generations; running a prepared one is beside ``trainings``, which has that path too."""
    return [
        ("2023", "POST", "/inference/v2", start_or_prepare),
        ("2023", "POST", "/inference-api/inference", start),
        ("2023", "GET", "/inference/get-inference-job", get_job),
        ("2023", "GET", "/inference/list-inference-jobs", list_all),
        ("2023", "POST", "/inference/query-inference-jobs", query),
        ("2023", "GET", "/inference/get-inference-job-image-output", list_image_links),
        ("2023", "GET", "/inference/get-inference-job-param-output", list_parameter_links),
        ("2023", "GET", "/inferences", list_wrapped),
        ("2024", "POST", "/inferences", create),
        ("2024", "PUT", "/inferences/{id}/start", start_restful),
        ("2024", "GET", "/inferences/{id}", get_restful),
        ("2024", "GET", "/inferences", list_page),
        ("2024", "DELETE", "/inferences", delete),
    ]


# The generation of 2023.


async def start_or_prepare(call: SdAwsCall) -> Any:
    """One step as documented; only prepared where the switch says so (inference_v2.one_step_or_two)."""
    # Two names of one parameter (inference_v2.endpoint_param_name).
    record = await prepare_inference(
        call, call.body.get("sagemaker_endpoint_name", call.body.get("sagemaker_endpoint"))
    )
    if call.switches.two_step:
        return {"statusCode": 200, "inference": build_prepared_row(call, record)}
    record = await start_inference(call, record, call.body)
    about = build_prepared_row(call, record)
    return {
        "statusCode": 200,
        **build_running_status(record),
        "inference": {**about, **build_running_status(record)},
    }


async def start(call: SdAwsCall) -> Any:
    """The single call as it was deployed."""
    record = await prepare_inference(call, call.body.get("sagemaker_endpoint_name"))
    record = await start_inference(call, record, call.body)
    return {"status": 200, "inference": {**build_prepared_row(call, record), **build_running_status(record)}}


async def run(call: SdAwsCall) -> Any:
    """Run what was prepared; a started one stays as it is (inference_v2.one_step_or_two)."""
    record = await get_inference(call, call.request.path_params["id"])
    if record["task"] is None:
        record = await start_inference(call, record, await read_uploaded_parameters(call, record))
    return {"statusCode": 200, "inference": build_running_status(record)}


async def get_job(call: SdAwsCall) -> Any:
    """One job; a missing or unknown id is a fault (get_inference_job.jobid_optional)."""
    record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
    if record is None:
        raise SdAwsHttpError(500, "the job does not exist")
    return await build_row(call, record)


async def list_all(call: SdAwsCall) -> Any:
    """All jobs, newest first, without what is not known yet."""
    return [await build_row(call, record) for record in reversed(await call.records.list_all("inference"))]


async def query(call: SdAwsCall) -> Any:
    """Jobs by state and kind."""
    rows = await list_all(call)
    states, kind = call.body.get("status"), call.body.get("task_type")
    matches = [r for r in rows if states in (None, "", r["status"]) and kind in (None, "", r["taskType"])]
    limit = call.body.get("limit")
    return matches[: int(limit)] if isinstance(limit, int | str) and str(limit).isdecimal() else matches


async def list_wrapped(call: SdAwsCall) -> Any:
    """The same under statusCode."""
    return {"statusCode": 200, "inferences": await list_all(call)}


async def list_image_links(call: SdAwsCall) -> Any:
    """The pictures' links; none unless the job has succeeded (get_inference_images.empty_list)."""
    record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
    view = await find_inference_view(call, record) if record else None
    return [] if view is None else create_image_links(call, view)


async def list_parameter_links(call: SdAwsCall) -> Any:
    """The link of the parameter dump."""
    record = await call.records.get("inference", call.request.query_params.get("jobID", ""))
    view = await find_inference_view(call, record) if record else None
    if record is None or view is None or view.phase is not Phase.SUCCESS:
        return []
    return [call.objects.create_download_link(build_dump_key(record), origin=call.origin)]


# The later generation.


async def create(call: SdAwsCall) -> Any:
    """Prepare, or start at once where the parameters come along."""
    call.require("task_type", "inference_type", "models")
    if call.read_text("inference_type") not in (ASYNC, REAL_TIME):
        raise SdAwsHttpError(400, "inference_type must be Async or Real-time")
    payload = call.body.get("payload_string")
    parameters = None if payload is None else _parse_payload(payload)
    record = await prepare_inference(call, call.body.get("sagemaker_endpoint_name"))
    if parameters is None:
        return SdAwsApiResponse({"inference": build_prepared_row(call, record)}, 201, "Created")
    return await _run_restful(call, record, parameters)


async def start_restful(call: SdAwsCall) -> Any:
    """Start what was prepared."""
    record = await get_inference(call, call.request.path_params["id"])
    if record["task"] is not None:
        return SdAwsApiResponse(await build_restful_row(call, record), 202, "Accepted")
    return await _run_restful(call, record, await read_uploaded_parameters(call, record))


async def get_restful(call: SdAwsCall) -> Any:
    """One inference with its links."""
    return SdAwsApiResponse(await build_restful_row(call, await get_inference(call, call.request.path_params["id"])))


async def list_page(call: SdAwsCall) -> Any:
    """Inferences, newest first, from behind ``exclusive_start_key`` on (contract: paging.keys)."""
    records = (await call.records.list_all("inference"))[::-1]
    limit = read_query_integer(call.request.query_params, "limit", 10)
    after = call.request.query_params.get("exclusive_start_key")
    ids = [record["id"] for record in records]
    if after is not None and after not in ids:
        raise SdAwsHttpError(400, "exclusive_start_key is not the key of an inference")
    first = 0 if after is None else ids.index(after) + 1
    rows = [await build_restful_row(call, record) for record in records[first : first + limit]]
    last = ids[first + limit - 1] if first + limit < len(ids) else None
    return SdAwsApiResponse({"inferences": rows, "last_evaluated_key": last})


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    call.require("inference_id_list")
    for inference_id in call.read_texts("inference_id_list", least=1, most=100):
        await call.records.delete("inference", inference_id)
    return SdAwsApiResponse(status=204)


async def _run_restful(call: SdAwsCall, record: dict[str, Any], parameters: dict[str, Any]) -> SdAwsApiResponse:
    record = await start_inference(call, record, parameters)
    if record["type"] == REAL_TIME:
        view = await find_inference_view(call, record)
        assert view is not None and view.task is not None  # noqa: PT018, S101 - it was just accepted
        await call.emulator.tasks.finish(view.task)
        return SdAwsApiResponse(await build_restful_row(call, record))
    row = await build_restful_row(call, record)
    return SdAwsApiResponse({**row, "inference": {**build_running_status(record), "id": record["id"]}}, 202, "Accepted")


def _parse_payload(text: Any) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (TypeError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise SdAwsHttpError(400, "payload_string must be valid json string")
    return cast("dict[str, Any]", document)
