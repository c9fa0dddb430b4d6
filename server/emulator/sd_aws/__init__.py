"""The Stable Diffusion middleware on AWS in both its generations, below one address (contract: sd_aws)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Mount

from atelier_mcp.server.emulator.sd_aws import endpoints
from atelier_mcp.server.emulator.sd_aws.admin import AdminRoutes
from atelier_mcp.server.emulator.sd_aws.calls import SdAwsRouter, build_service_id
from atelier_mcp.server.emulator.sd_aws.checkpoints import CheckpointRoutes
from atelier_mcp.server.emulator.sd_aws.datasets import DataSetRoutes
from atelier_mcp.server.emulator.sd_aws.inferences import InferenceRoutes
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
from atelier_mcp.server.emulator.sd_aws.training_bases import TrainingBaseRoutes
from atelier_mcp.server.emulator.sd_aws.trainings import TrainingRoutes

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

__all__ = ["build_error_body", "build_routes"]


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All calls, with and without the stage (list_datasets.prod_prefix), and the storage behind the signed links."""
    objects, router = ObjectStore(emulator), SdAwsRouter(emulator)
    inferences = InferenceRoutes(objects)
    route_groups = (
        inferences, TrainingRoutes(emulator, objects, inferences), CheckpointRoutes(objects),
        TrainingBaseRoutes(objects), DataSetRoutes(objects), AdminRoutes(objects),
    )  # fmt: skip
    for group in route_groups:
        group.add_routes(router)
    endpoints.add_routes(router)
    for kind in ("endpoint", "base"):
        emulator.tasks.set_renderer(build_service_id(kind), _do_nothing)
    return [*objects.build_routes(), Mount("/prod", routes=router.build_routes()), *router.build_routes()]


def build_error_body(status: int) -> Any:
    """What the gateway says with an HTTP status."""
    return {
        "message": {403: "Forbidden", 429: "Too Many Requests", 504: "Endpoint request timed out"}.get(
            status, "Internal server error"
        )
    }


async def _do_nothing(_task: TaskRecord, _arguments: dict[str, Any]) -> dict[str, Any]:
    """What takes time and leaves nothing behind: a deployment."""
    return {}
