"""Inferences of v1.4 and later: pictures from parameters, in one step or in three.

(contract: appendix_generation_2, answered.real_time, answered.list_types)
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.errors import CRASHED, TIMED_OUT, CodeFault, GatewayError, SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.inference_records import (
    build_linked_row,
    build_list_row,
    build_prepared_row,
    build_running_row,
    list_settled,
    prepare,
    read_uploaded_parameters,
)
from atelier_mcp.server.emulator.sd_aws.inference_runs import REAL_TIME, read_failure, settle, start_run
from atelier_mcp.server.emulator.sd_aws.paging import get_newest_place, get_table_place, read_page
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

DEFAULT_TYPE: Final = "txt2img"


def check_payload(call: SdAwsCall) -> None:
    """Refuse parameters in the body that are no JSON; raises SdAwsHttpError."""
    payload = call.body.get("payload_string")
    if not payload:
        return
    try:
        json.loads(payload)
    except ValueError:
        raise SdAwsHttpError(400, "payload_string must be valid json string") from None


def build_rows() -> list[CallRow]:
    """The calls of v1.4 and later."""
    return [
        CallRow(
            method="POST", path="/inferences", handler=create, form="create_inference", right="inference:create",
            check=check_payload,
        ),
        CallRow(method="PUT", path="/inferences/{id}/start", handler=start, right="inference:create"),
        CallRow(method="GET", path="/inferences/{id}", handler=get_one),
        CallRow(method="GET", path="/inferences", handler=list_all, is_gated=True),
        CallRow(method="DELETE", path="/inferences", handler=delete, form="delete_inferences"),
    ]  # fmt: skip


async def create(call: SdAwsCall) -> Any:
    """Prepare, or start at once where the parameters come along."""
    # For the choice of an endpoint v1.4 believes the body (contract: auth.acting_user).
    user = call.body.get("user_id") if call.version.has_authorizer else call.user
    name = str(call.body.get("sagemaker_endpoint_name") or "")
    record = await prepare(call, user=user, endpoint_name=name)
    if record["payload"] is None:
        return SdAwsApiResponse({"inference": build_prepared_row(record)}, 201, "Created")
    return await _run(call, record, json.loads(record["payload"]))


async def start(call: SdAwsCall) -> Any:
    """Start what was prepared, also one that is over, which then runs again."""
    record = await call.records.get("inference", call.path_id)
    if record is None and call.version.crashes_to_502:
        raise CodeFault(CRASHED)
    if record is None:
        raise SdAwsHttpError(400, f"InferenceJobId {call.path_id} not found")
    record = await settle(call, record)
    payload = record["payload"]
    parameters = await read_uploaded_parameters(call, record) if payload is None else json.loads(payload)
    return await _run(call, record, parameters)


async def get_one(call: SdAwsCall) -> Any:
    """One inference with its links."""
    record = await call.records.get("inference", call.path_id)
    if record is None:
        raise SdAwsHttpError(404, f"inference with id {call.path_id} not found")
    return SdAwsApiResponse(build_linked_row(call, await settle(call, record)))


async def list_all(call: SdAwsCall) -> Any:
    """Inferences: all of them in v1.4, since v1.5 those of one type, newest first and in pages."""
    if "username" in call.query and await find_user(call, call.query["username"]) is None:
        if call.version.crashes_to_502:
            raise CodeFault(CRASHED)
        raise SdAwsHttpError(400, build_unknown(call.query["username"]))
    records = await call.records.list_all("inference")
    if not call.version.has_pages:
        rows = await list_settled(call, sorted(records, key=get_table_place))
        return SdAwsApiResponse({"inferences": [build_list_row(call, record) for record in rows]})
    wanted = call.query.get("type", DEFAULT_TYPE)
    page, last = read_page(call, [r for r in records if r["task_type"] == wanted], get_newest_place)
    rows = [build_list_row(call, record) for record in await list_settled(call, page)]
    return SdAwsApiResponse({"inferences": rows, "last_evaluated_key": last})


async def delete(call: SdAwsCall) -> Any:
    """Delete by ids; unknown ones are no error."""
    for inference_id in call.read_texts("inference_id_list"):
        await call.records.delete("inference", inference_id)
    return SdAwsApiResponse(status=204)


async def _run(call: SdAwsCall, record: dict[str, Any], parameters: Any) -> SdAwsApiResponse:
    if record["type"] == REAL_TIME:
        return await _run_real_time(call, record, parameters)
    record = await start_run(call, record, parameters)
    data: dict[str, Any] = {"inference": build_running_row(record)}
    if call.version.fills_unset:
        data |= {"InferenceJobId": record["id"], "status": "inprogress"}
    return SdAwsApiResponse(data, 202, "Accepted")


async def _run_real_time(call: SdAwsCall, record: dict[str, Any], parameters: Any) -> SdAwsApiResponse:
    """The finished job; raises GatewayError for one that takes too long, which goes on (contract: errors.504)."""
    limit_s = call.switches.gateway_seconds
    # Decided beforehand: a test should not wait 29 seconds for an answer that is known.
    is_slow = call.emulator.settings.task_seconds > limit_s
    record = await start_run(call, record, parameters, seconds=None if is_slow else 0)
    view = await call.find_view(record["task_kind"], record["task"])
    if is_slow or view is None:
        raise GatewayError(504, TIMED_OUT)
    try:
        # The engine itself may take longer than the time it was given.
        async with asyncio.timeout(limit_s):
            view = await call.emulator.tasks.finish(view.task)
    except TimeoutError:
        raise GatewayError(504, TIMED_OUT) from None
    record = await settle(call, record)
    if (failure := read_failure(view)) is not None:
        text = failure.format_real_time(call.version, record["endpoint"], record["row"]["startTime"])
        raise SdAwsHttpError(400, text)
    return SdAwsApiResponse(build_linked_row(call, record))
