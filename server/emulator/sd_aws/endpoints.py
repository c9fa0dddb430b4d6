"""Inference endpoints: deployed, listed, deleted (contract: create_endpoint, delete_endpoints, list_endpoints).

How far one is follows from its task's time, unless the platform has reported something else, which ``platform`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse

from atelier_mcp.server.emulator.sd_aws import endpoint_rules
from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse
from atelier_mcp.server.emulator.sd_aws.endpoint_states import EndpointView, build_row, view_endpoint
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.paging import read_page
from atelier_mcp.server.emulator.sd_aws.people import build_unknown, find_user, get_user, get_user_or_crash, sees

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall


def build_rows() -> list[CallRow]:
    """The calls of all versions."""
    return [
        CallRow(
            method="POST", path="/endpoints", handler=create, form="create_endpoint", is_gated=True,
            right="sagemaker_endpoint:create", versions=("1.3", "1.4", "1.5", "1.7"),
        ),
        CallRow(
            method="GET", path="/endpoints", handler=list_all, is_gated=True, right="sagemaker_endpoint:list",
            versions=("1.3", "1.4", "1.5", "1.7"),
        ),
        CallRow(
            method="DELETE", path="/endpoints", handler=delete, form="delete_endpoints", is_gated=True,
            versions=("1.3", "1.4", "1.5", "1.7"),
        ),
        CallRow(method="GET", path="/inference/get-endpoint-deployment-job", handler=get_job, versions=("1.3",)),
    ]  # fmt: skip


async def create(call: SdAwsCall) -> Any:
    """Begin a deployment."""
    if not call.version.is_legacy:
        data = await _deploy(call)
        return SdAwsApiResponse(data, 202, f"Endpoint deployment started: {data['endpoint_name']}")
    try:
        data = await _deploy(call)
    except SdAwsHttpError as err:
        # What is refused has a message and no data (contract: answered.faults).
        return {"statusCode": err.status, "message": err.message}
    return {"statusCode": 200, "message": f"Endpoint deployment started: {data['endpoint_name']}", "data": data}


async def list_all(call: SdAwsCall) -> Any:
    """The endpoints a user sees, or the one whose id is given."""
    find = get_user_or_crash if call.version.is_legacy else get_user
    caller = await find(call, call.query.get("username") or call.user)
    records = await call.records.list_all("endpoint")
    job_id = call.query.get("endpointDeploymentJobId")
    records = [r for r in records if sees(caller, "sagemaker_endpoint", r["roles"]) and job_id in (None, r["id"])]
    page, last = read_page(call, records)
    rows = [build_row(call.version, await view_endpoint(call, record)) for record in page]
    if call.version.is_legacy:
        return {"statusCode": 200, "endpoints": rows}
    if not call.version.has_pages:
        return SdAwsApiResponse({"endpoints": rows})
    if job_id is not None:  # the row as the table has it (contract: answered.raw_endpoint_row)
        return SdAwsApiResponse({"endpoints": [_type_row(row) for row in rows], "last_evaluated_key": None})
    return SdAwsApiResponse({"endpoints": rows, "last_evaluated_key": last})


async def delete(call: SdAwsCall) -> Any:
    """Delete by name; unknown names count as success."""
    if not call.version.is_legacy:
        # v1.4 wants the user in the body; later versions look at nobody here (contract: auth.routes_without_user).
        if call.version.has_authorizer:
            await get_user(call, str(call.body["username"]))
        for record in await _find_named(call, call.read_texts("endpoint_name_list")):
            await call.records.delete("endpoint", record["id"])
        return SdAwsApiResponse(status=204)
    user = str(call.body["username"])
    if await find_user(call, user) is None:
        # A failure as a text with HTTP 200 (contract: delete_endpoints.reply_not_json).
        return f"error deleting sagemaker endpoint with exception: {build_unknown(user)}"
    for record in await _find_named(call, call.read_texts("delete_endpoint_list")):
        # The row stays, as it was until the platform is done (contract: conventions.states.endpoint).
        task = await call.start_task("endpoint", call.create_id(), seconds=call.switches.deploy_seconds)
        await call.records.put("endpoint", record["id"], {**record, "deletion": task})
    return "Endpoint deleted"


async def get_job(call: SdAwsCall) -> Any:
    """One deployment without what is not known; {} for an unknown id (get_endpoint_deployment_job.unknown_id)."""
    # Plain text, unlike all other failures (contract: errors.422).
    if "jobID" not in call.query:
        return PlainTextResponse("Internal Server Error", status_code=500)
    record = await call.records.get("endpoint", call.query["jobID"])
    if record is None:
        return {}
    row = build_row(call.version, await view_endpoint(call, record))
    return {name: value for name, value in row.items() if value is not None}


async def find_ready(call: SdAwsCall, *, user: str | None, name: str, kind: str) -> EndpointView | None:
    """The endpoint of that name, or without a name the first of a user's roles; raises SdAwsHttpError for none.

    None where neither name nor user is given.
    """
    if name:
        return await endpoint_rules.get_named(call, name)
    if not user:
        return None
    return await endpoint_rules.get_available(call, await get_user(call, user), kind)


async def _find_named(call: SdAwsCall, names: list[str]) -> list[dict[str, Any]]:
    return [record for record in await call.records.list_all("endpoint") if record["name"] in names]


async def _deploy(call: SdAwsCall) -> dict[str, Any]:
    """The row of a new deployment, as it is answered: numbers are still those that were sent."""
    settings = endpoint_rules.read_settings(call)
    creator = await endpoint_rules.get_creator(call)
    await endpoint_rules.check_roles(call, settings)
    job_id = call.create_id()
    name = f"{settings['prefix']}{settings['suffix'] or job_id[:7]}"
    # Last of the checks: the platform's refusal, which comes when the middleware has none of its own.
    await endpoint_rules.check_name(call, name)
    record = {
        **{key: settings[key] for key in ("type", "instance_type", "autoscaling", "roles", "service_type")},
        **{key: settings[key] for key in ("most", "least", "custom_extensions")},
        "name": name, "creator": creator, "created": call.now, "deletion": None, "reported": None, "instances": None,
        "task": await call.start_task("endpoint", job_id, seconds=call.switches.deploy_seconds),
    }  # fmt: skip
    record = await call.records.put("endpoint", job_id, record)
    row = build_row(call.version, EndpointView(record, "Creating", 0, None))
    # Numbers are echoed here as they were sent, while lists give texts (contract: answered.instance_numbers).
    row["max_instance_number"] = settings["most"]
    if "min_instance_number" in row:
        row["min_instance_number"] = settings["least"]
    return row


def _type_row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value is None else _type_value(name, value) for name, value in row.items()}


def _type_value(name: str, value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case list():
            return {"L": [{"S": item} for item in value]}  # pyright: ignore[reportUnknownVariableType] # JSON
        case _:
            return {"N" if name == "current_instance_count" else "S": value}
