"""What the picture services have in common: a list of models, submits, one result, many results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_route, build_unknown_method_route
from atelier_mcp.server.emulator.mhapi.results import build_linked_result, build_result_handler, build_results_handler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.routing import Route

    from atelier_mcp.server.emulator.mhapi.calls import Handler
    from atelier_mcp.server.emulator.mhapi.models import MhapiModelRow
    from atelier_mcp.server.emulator.mhapi.results import ResultBuilder
    from atelier_mcp.server.emulator.state import EmulatorState


def build_model_list_handler(all_models: Sequence[MhapiModelRow], *, all_fields: bool) -> Handler:
    """The handler of a service's listing; ``all_fields`` where its example shows six (shared.model_fields)."""
    rows: list[dict[str, Any]] = [model.to_full_row() if all_fields else model.to_short_row() for model in all_models]

    async def list_models(call: MhapiCall) -> Any:
        models.check_query_names(call, "size", "offset")
        return models.build_page(call, rows)

    return list_models


def build_task_routes(
    emulator: EmulatorState,
    name: str,
    submits: Mapping[str, Handler],
    *,
    listing: Handler,
    build_result: ResultBuilder = build_linked_result,
    batch_services: Sequence[str] = (),
) -> list[Route]:
    """The endpoints of a service below ``/v1/<name>``.

    Its batch lookup finds tasks of the services ``batch_services``.
    """
    prefix = f"/v1/{name}"
    lookup = build_results_handler(batch_services or (name,), build_result)
    return [
        build_route(emulator, "GET", f"{prefix}/models", listing),
        *(build_route(emulator, "POST", f"{prefix}/{path}", handler) for path, handler in submits.items()),
        build_route(emulator, "GET", f"{prefix}/result/{{task_id}}", build_result_handler(name, build_result)),
        build_route(emulator, "GET", f"{prefix}/results", lookup),
        build_route(emulator, "POST", f"{prefix}/results", lookup),
        *(
            build_unknown_method_route(emulator, f"{prefix}/{path}")
            for path in ("models", "results", "result/{task_id}", *submits)
        ),
    ]


def build_submit_response(task_id: str) -> dict[str, str]:
    """The answer to a submit."""
    return {"task_id": task_id}
