"""Inference endpoints: deployed, listed, deleted; usable once their time has come (contract: create_endpoint ff.)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import Call, Refused, Reply, stamp
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import Door

G4DN: Final = tuple(f"ml.g4dn.{size}" for size in ("xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge"))
MOST_INSTANCES: Final = 6
DEFAULT_ROLES: Final = ["IT Operator"]
STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "InService", Phase.FAILED: "Failed",
}  # fmt: skip
JOB_STATES: Final = {"Creating": "inprogress", "InService": "success", "Failed": "failed", "Deleted": "deleted"}


def offer(door: Door) -> None:
    """Hang up the calls."""
    door.legacy("POST", "/endpoints", create)
    door.legacy("GET", "/endpoints", listed)
    door.legacy("DELETE", "/endpoints", delete)
    door.legacy("GET", "/inference/get-endpoint-deployment-job", job)
    door.legacy("POST", "/inference/deploy-sagemaker-endpoint", create)
    door.legacy("POST", "/inference/delete-sagemaker-endpoint", delete)
    door.restful("POST", "/endpoints", create_later)
    door.restful("GET", "/endpoints", listed_later)
    door.restful("DELETE", "/endpoints", delete_later)


async def create(call: Call) -> Any:
    """Begin a deployment; a body that only names endpoints to delete means that (delete_endpoints.verb)."""
    if set(call.body) <= {"delete_endpoint_list", "username"} and "delete_endpoint_list" in call.body:
        return await delete(call)
    call.need("instance_type", "initial_instance_count")
    record = await _deployed(call)
    if call.switches.null_reply:
        return None
    data = await _shown(call, record)
    return {"statusCode": 200, "message": f"Endpoint deployment started: {record['name']}", "data": data}


async def listed(call: Call) -> Any:
    """All deployments, newest first; a bare array unless the switch wraps it (list_endpoints.list_shape)."""
    wanted = call.request.query_params.get("endpointDeploymentJobId")
    rows = [await _shown(call, record) for record in await _all(call) if wanted in (None, record["id"])]
    return {"statusCode": 200, "endpoints": rows} if call.switches.wrapped_endpoints else rows


async def delete(call: Call) -> Any:
    """Delete by name; unknown names count as success (delete_endpoints.reply_not_json)."""
    await _delete(call, call.texts("delete_endpoint_list", least=1))
    return "Endpoint deleted"


async def job(call: Call) -> Any:
    """One deployment; {} for an unknown id (get_endpoint_deployment_job.unknown_id)."""
    if (job_id := call.request.query_params.get("jobID")) is None:
        raise Refused(422, [{"loc": ["query", "jobID"], "msg": "field required", "type": "value_error.missing"}])
    record = await call.records.get("endpoint", job_id)
    return {} if record is None else await _shown(call, record)


async def create_later(call: Call) -> Any:
    """Begin a deployment; one live endpoint per role and kind."""
    call.need("endpoint_type", "instance_type", "initial_instance_count", "autoscaling_enabled", "assign_to_roles")
    if call.text("endpoint_type") not in ("Async", "Real-time"):
        raise Refused(400, "endpoint_type must be Async or Real-time")
    count = call.body["initial_instance_count"]
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise Refused(400, "initial_instance_count must be a number")
    roles = set(call.texts("assign_to_roles", least=1, most=10))
    for record in await _all(call):
        live = await state(call, record) in ("Creating", "InService")
        if live and record["type"] == call.text("endpoint_type") and roles & set(record["roles"]):
            raise Refused(400, f"role has a live endpoint already: {record['name']}")
    record = await _deployed(call)
    return Reply(await _shown(call, record), 202, f"Endpoint deployment started: {record['name']}")


async def listed_later(call: Call) -> Any:
    """All endpoints."""
    return Reply({"endpoints": [await _shown(call, record) for record in await _all(call)]})


async def delete_later(call: Call) -> Any:
    """Delete by name."""
    call.need("endpoint_name_list")
    await _delete(call, call.texts("endpoint_name_list", least=1, most=10))
    return Reply(status=204)


async def ready(call: Call, name: str) -> dict[str, Any] | None:
    """The endpoint of that name, or without a name the first in service; raises Refused for one that is not."""
    for record in await _all(call):
        if record["name"] == name or not name:
            word = await state(call, record)
            if word == "InService":
                return record
            if name and word != "Deleted":
                raise Refused(400, f"sagemaker endpoint {name} is not ready with status: {word}", key="errMsg")
    if name:
        raise Refused(400, f"sagemaker endpoint {name} is not found", key="errMsg")
    return None


async def state(call: Call, record: dict[str, Any]) -> str:
    """The endpoint's state now."""
    if record["deleted"]:
        return "Deleted"
    return STATES[(await call.phase("endpoint", record["task"]))[0]]


async def _deployed(call: Call) -> dict[str, Any]:
    kind = call.body["instance_type"]
    if not isinstance(kind, str) or (kind not in G4DN and not kind.startswith("ml.g5.")):
        raise Refused(400, f"instance_type must be one of {', '.join(G4DN)} or an ml.g5 type", key="errMsg")
    count = str(call.body["initial_instance_count"])
    if not count.isdecimal() or not 1 <= int(count) <= MOST_INSTANCES:
        raise Refused(400, f"initial_instance_count must be from 1 to {MOST_INSTANCES}", key="errMsg")
    job_id = call.new_id()
    suffix = call.text("endpoint_name") or job_id[:7]
    name = f"infer-endpoint-{suffix}"
    if any(r["name"] == name and not r["deleted"] for r in await _all(call)):
        raise Refused(400, f"endpoint {name} exists already", key="errMsg")
    record = {
        "name": name,
        "type": call.text("endpoint_type", "Async"),
        "task": await call.begin("endpoint", job_id, seconds=call.switches.deploy_seconds),
        "created": call.now,
        "instance_type": kind,
        "count": count,
        "autoscaling": bool(call.body.get("autoscaling_enabled", False)),
        "roles": call.texts("assign_to_roles") or DEFAULT_ROLES,
        "creator": call.text("creator") or call.user,
        "deleted": False,
    }
    return await call.records.put("endpoint", job_id, record)


async def _delete(call: Call, names: list[str]) -> None:
    for record in await call.records.all("endpoint"):
        if record["name"] in names:
            await call.records.put("endpoint", record["id"], {**record, "deleted": True})


async def _all(call: Call) -> list[dict[str, Any]]:
    """Every deployment, newest first; deleted ones stay for a look."""
    records = [record for record in await call.records.all("endpoint") if not record["deleted"]]
    return records[::-1]


async def _shown(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    """What is known of a deployment; an early failure has no name (list_endpoints)."""
    word = await state(call, record)
    view = await call.view("endpoint", record["task"])
    row: dict[str, Any] = {
        "EndpointDeploymentJobId": record["id"],
        "startTime": stamp(record["created"]),
        "status": JOB_STATES[word],
        "endpoint_name": record["name"],
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
        row["endTime"] = stamp(view.task.ends_at)
    return row
