"""What the picture services have in common: a list of models, submits, one result, many results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import Call, route, unknown_method
from atelier_mcp.server.emulator.mhapi.results import batch, pictures, single

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.routing import Route

    from atelier_mcp.server.emulator.mhapi.calls import Handler
    from atelier_mcp.server.emulator.mhapi.models import Model
    from atelier_mcp.server.emulator.mhapi.results import Shape
    from atelier_mcp.server.emulator.world import World


def model_list(listed: Sequence[Model], *, all_fields: bool) -> Handler:
    """The handler of a service's listing; ``all_fields`` where its example shows six (shared.model_fields)."""
    rows: list[dict[str, Any]] = [model.full() if all_fields else model.short() for model in listed]

    async def list_models(call: Call) -> Any:
        models.only_known(call, "size", "offset")
        return models.page(call, rows)

    return list_models


def task_routes(
    world: World,
    name: str,
    submits: Mapping[str, Handler],
    *,
    listing: Handler,
    shape: Shape = pictures,
    batch_of: Sequence[str] = (),
) -> list[Route]:
    """The endpoints of a service below ``/v1/<name>``; its batch lookup finds tasks of the services ``batch_of``."""
    prefix = f"/v1/{name}"
    lookup = batch(batch_of or (name,), shape)
    return [
        route(world, "GET", f"{prefix}/models", listing),
        *(route(world, "POST", f"{prefix}/{path}", handler) for path, handler in submits.items()),
        route(world, "GET", f"{prefix}/result/{{task_id}}", single(name, shape)),
        route(world, "GET", f"{prefix}/results", lookup),
        route(world, "POST", f"{prefix}/results", lookup),
        *(unknown_method(world, f"{prefix}/{path}") for path in ("models", "results", "result/{task_id}", *submits)),
    ]


def accepted(task_id: str) -> dict[str, str]:
    """The answer to a submit."""
    return {"task_id": task_id}
