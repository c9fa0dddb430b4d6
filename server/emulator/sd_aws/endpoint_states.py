"""How far an endpoint is, and the row it is told by (contract: conventions.states.endpoint)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import format_time
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion

STATES: Final = {
    Phase.PENDING: "Creating", Phase.RUNNING: "Creating", Phase.SUCCESS: "InService", Phase.FAILED: "Failed",
}  # fmt: skip
OVER: Final = (Phase.SUCCESS, Phase.FAILED)


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as it stands now."""

    record: dict[str, Any]
    word: str
    """Its state, in the platform's word where nobody translates that."""
    instances: int
    ready_at: float | None
    """When it first was in service, in Unix seconds."""


async def view_endpoint(call: SdAwsCall, record: dict[str, Any]) -> EndpointView:
    """The endpoint as it stands now."""
    # Until the platform is done with the deletion, the row keeps its state (v1.3 alone keeps a row at all).
    if record["deletion"] and await _is_over(call, record["deletion"]):
        return EndpointView(record, "Deleted", 0, None)
    view = await call.find_view("endpoint", record["task"])
    word = "Failed" if view is None else STATES[view.phase]
    ready_at = view.task.ends_at if view is not None and word == "InService" else None
    instances = record["instances"] if record["instances"] is not None else int(word == "InService")
    return EndpointView(record, record["reported"] or word, instances, ready_at)


def build_row(version: DeployedVersion, view: EndpointView) -> dict[str, Any]:
    """What is known of an endpoint; ``status`` never says anything, and why one failed is lost."""
    record = view.record
    # A text while Creating, later a number in v1.3 (contract: list_endpoints.ready_test).
    is_counted = version.is_legacy and view.word != "Creating"
    separator = version.time_separator
    row: dict[str, Any] = {
        "EndpointDeploymentJobId": record["id"],
        "autoscaling": record["autoscaling"],
        "max_instance_number": str(record["most"]),
        "startTime": format_time(record["created"], separator=separator),
        "status": None,
        "current_instance_count": view.instances if is_counted else str(view.instances),
        "endTime": None if view.ready_at is None else format_time(view.ready_at, separator=separator),
        "endpoint_status": view.word,
        "endpoint_name": record["name"],
        "error": None,
        "owner_group_or_role": record["roles"],
    }
    if not version.is_legacy:
        row |= {"instance_type": record["instance_type"], "endpoint_type": record["type"]}
    if version.has_instance_range:
        row |= {"min_instance_number": str(record["least"]), "custom_extensions": record["custom_extensions"]}
    if version.has_service_types:
        row["service_type"] = record["service_type"]
    return row


async def _is_over(call: SdAwsCall, task_id: str) -> bool:
    view = await call.find_view("endpoint", task_id)
    return view is None or view.phase in OVER
