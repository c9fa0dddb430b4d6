"""Inference endpoints: deployed, listed, deleted; usable once their time has come.

(contract: create_endpoint, delete_endpoints, list_endpoints)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse, SdAwsCall, format_time
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow

# The union of the two lists that are printed; ml.g5 is taken besides (create_endpoint.instance_types).
G4DN: Final = tuple(f"ml.g4dn.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge"))
MOST_INSTANCES: Final = 6
DEFAULT_ROLES: Final = ["IT Operator"]
STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "InService", Phase.FAILED: "Failed",
}  # fmt: skip
JOB_STATES: Final = {"Creating": "inprogress", "InService": "success", "Failed": "failed", "Deleted": "deleted"}


def build_rows() -> list[CallRow]:
    """The calls of both generations, and the older deploy and delete routes."""
    return [
        ("2023", "POST", "/endpoints", create),
        ("2023", "GET", "/endpoints", list_all),
        ("2023", "DELETE", "/endpoints", delete),
        ("2023", "GET", "/inference/get-endpoint-deployment-job", get_job),
        ("2023", "POST", "/inference/deploy-sagemaker-endpoint", create),
        ("2023", "POST", "/inference/delete-sagemaker-endpoint", delete),
        ("2024", "POST", "/endpoints", create_restful),
        ("2024", "GET", "/endpoints", list_restful),
        ("2024", "DELETE", "/endpoints", delete_restful),
    ]


async def create(call: SdAwsCall) -> Any:
    """Begin a deployment; a body that only names endpoints to delete means that (delete_endpoints.verb)."""
    if set(call.body) <= {"delete_endpoint_list", "username"} and "delete_endpoint_list" in call.body:
        return await delete(call)
    call.require("instance_type", "initial_instance_count")
    record = await _deploy(call)
    if call.switches.null_reply:
        return None
    data = await _build_row(call, record)
    return {"statusCode": 200, "message": f"Endpoint deployment started: {record['name']}", "data": data}


async def list_all(call: SdAwsCall) -> Any:
    """All deployments, newest first; a bare array unless the switch wraps it (list_endpoints.list_shape)."""
    wanted = call.request.query_params.get("endpointDeploymentJobId")
    rows = [await _build_row(call, record) for record in await _list_live(call) if wanted in (None, record["id"])]
    return {"statusCode": 200, "endpoints": rows} if call.switches.wrapped_endpoints else rows


async def delete(call: SdAwsCall) -> Any:
    """Delete by name; unknown names count as success (delete_endpoints.reply_not_json)."""
    await _delete(call, call.read_texts("delete_endpoint_list", least=1))
    return "Endpoint deleted"


async def get_job(call: SdAwsCall) -> Any:
    """One deployment; {} for an unknown id (get_endpoint_deployment_job.unknown_id)."""
    if (job_id := call.request.query_params.get("jobID")) is None:
        raise SdAwsHttpError(422, [{"loc": ["query", "jobID"], "msg": "field required", "type": "value_error.missing"}])
    record = await call.records.get("endpoint", job_id)
    return {} if record is None else await _build_row(call, record)


async def create_restful(call: SdAwsCall) -> Any:
    """Begin a deployment; one live endpoint per role and kind."""
    call.require("endpoint_type", "instance_type", "initial_instance_count", "autoscaling_enabled", "assign_to_roles")
    if call.read_text("endpoint_type") not in ("Async", "Real-time"):
        raise SdAwsHttpError(400, "endpoint_type must be Async or Real-time")
    count = call.body["initial_instance_count"]
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise SdAwsHttpError(400, "initial_instance_count must be a number")
    roles = set(call.read_texts("assign_to_roles", least=1, most=10))
    for record in await _list_live(call):
        is_live = await get_state(call, record) in ("Creating", "InService")
        if is_live and record["type"] == call.read_text("endpoint_type") and roles & set(record["roles"]):
            raise SdAwsHttpError(400, f"role has a live endpoint already: {record['name']}")
    record = await _deploy(call)
    return SdAwsApiResponse(await _build_row(call, record), 202, f"Endpoint deployment started: {record['name']}")


async def list_restful(call: SdAwsCall) -> Any:
    """All endpoints."""
    return SdAwsApiResponse({"endpoints": [await _build_row(call, record) for record in await _list_live(call)]})


async def delete_restful(call: SdAwsCall) -> Any:
    """Delete by name."""
    call.require("endpoint_name_list")
    await _delete(call, call.read_texts("endpoint_name_list", least=1, most=10))
    return SdAwsApiResponse(status=204)


async def find_ready(call: SdAwsCall, name: str) -> dict[str, Any] | None:
    """The endpoint of that name, or without a name the first in service; raises SdAwsHttpError for one that is not."""
    for record in await _list_live(call):
        if record["name"] == name or not name:
            word = await get_state(call, record)
            if word == "InService":
                return record
            if name and word != "Deleted":
                raise SdAwsHttpError(400, f"sagemaker endpoint {name} is not ready with status: {word}", key="errMsg")
    if name:
        raise SdAwsHttpError(400, f"sagemaker endpoint {name} is not found", key="errMsg")
    return None


async def get_state(call: SdAwsCall, record: dict[str, Any]) -> str:
    """The endpoint's state now."""
    if record["deleted"]:
        return "Deleted"
    return STATES[(await call.get_phase("endpoint", record["task"]))[0]]


async def _deploy(call: SdAwsCall) -> dict[str, Any]:
    kind = call.body["instance_type"]
    if not isinstance(kind, str) or (kind not in G4DN and not kind.startswith("ml.g5.")):
        raise SdAwsHttpError(400, f"instance_type must be one of {', '.join(G4DN)} or an ml.g5 type", key="errMsg")
    # As text or as a number (create_endpoint.count_type).
    count = str(call.body["initial_instance_count"])
    if not count.isdecimal() or not 1 <= int(count) <= MOST_INSTANCES:
        raise SdAwsHttpError(400, f"initial_instance_count must be from 1 to {MOST_INSTANCES}", key="errMsg")
    job_id = call.create_id()
    suffix = call.read_text("endpoint_name") or job_id[:7]
    name = f"infer-endpoint-{suffix}"
    if any(r["name"] == name and not r["deleted"] for r in await _list_live(call)):
        raise SdAwsHttpError(400, f"endpoint {name} exists already", key="errMsg")
    record = {
        "name": name,
        "type": call.read_text("endpoint_type", "Async"),
        "task": await call.start_task("endpoint", job_id, seconds=call.switches.deploy_seconds),
        "created": call.now,
        "instance_type": kind,
        "count": count,
        "autoscaling": bool(call.body.get("autoscaling_enabled", False)),
        # Required by the code, and left out by the printed example (create_endpoint.required_code_fields).
        "roles": call.read_texts("assign_to_roles") or DEFAULT_ROLES,
        "creator": call.read_text("creator") or call.user,
        "deleted": False,
    }
    return await call.records.put("endpoint", job_id, record)


async def _delete(call: SdAwsCall, names: list[str]) -> None:
    for record in await call.records.list_all("endpoint"):
        # Also one that is still being created (delete_endpoints.creating).
        if record["name"] in names:
            await call.records.put("endpoint", record["id"], {**record, "deleted": True})


async def _list_live(call: SdAwsCall) -> list[dict[str, Any]]:
    """Every deployment, newest first; deleted ones stay for a look."""
    records = [record for record in await call.records.list_all("endpoint") if not record["deleted"]]
    return records[::-1]


async def _build_row(call: SdAwsCall, record: dict[str, Any]) -> dict[str, Any]:
    """What is known of a deployment; an early failure has no name (list_endpoints)."""
    word = await get_state(call, record)
    view = await call.find_view("endpoint", record["task"])
    row: dict[str, Any] = {
        "EndpointDeploymentJobId": record["id"],
        "startTime": format_time(record["created"]),
        "status": JOB_STATES[word],
        "endpoint_name": record["name"],
        # Both states are there; the one above says nothing at the service (list_endpoints.ready_test).
        "endpoint_status": word,
        "endpoint_type": record["type"],
        "instance_type": record["instance_type"],
        "autoscaling": record["autoscaling"],
        "max_instance_number": record["count"],
        "current_instance_count": record["count"] if word == "InService" else "0",
        "owner_group_or_role": record["roles"],
    }
    if word == "Failed":
        row["error"] = view.outcome.failed if view and view.outcome else ""
    if word in ("InService", "Failed") and view is not None:
        row["endTime"] = format_time(view.task.ends_at)
    return row
