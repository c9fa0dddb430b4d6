"""The Stable Diffusion middleware on AWS in both its generations, below one address (contract: sd_aws)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Mount

from atelier_mcp.server.emulator.sd_aws import endpoints
from atelier_mcp.server.emulator.sd_aws.bases import Bases
from atelier_mcp.server.emulator.sd_aws.calls import Door, service
from atelier_mcp.server.emulator.sd_aws.checkpoints import Checkpoints
from atelier_mcp.server.emulator.sd_aws.datasets import DataSets
from atelier_mcp.server.emulator.sd_aws.inferences import Inferences
from atelier_mcp.server.emulator.sd_aws.objects import Objects
from atelier_mcp.server.emulator.sd_aws.services import Services
from atelier_mcp.server.emulator.sd_aws.trainings import Trainings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.world import World

__all__ = ["error_body", "routes"]


def routes(world: World) -> list[BaseRoute]:
    """All calls, with and without the stage (list_datasets.prod_prefix), and the storage behind the signed links."""
    objects, door = Objects(world), Door(world)
    inferences = Inferences(objects)
    rooms = (
        inferences, Trainings(world, objects, inferences), Checkpoints(objects), Bases(objects), DataSets(objects),
        Services(objects),
    )  # fmt: skip
    for room in rooms:
        room.offer(door)
    endpoints.offer(door)
    for kind in ("endpoint", "base"):
        world.tasks.render_with(service(kind), _nothing)
    return [*objects.routes(), Mount("/prod", routes=door.routes()), *door.routes()]


def error_body(status: int) -> Any:
    """What the gateway says with an HTTP status."""
    return {
        "message": {403: "Forbidden", 429: "Too Many Requests", 504: "Endpoint request timed out"}.get(
            status, "Internal server error"
        )
    }


async def _nothing(_task: Task, _arguments: dict[str, Any]) -> dict[str, Any]:
    """What takes time and leaves nothing behind: a deployment."""
    return {}
