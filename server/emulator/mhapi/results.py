"""What the services that make images have in common: a list of models, submits, one result by its id, or up to fifty.

(contract: <service>.models, <service>.result, <service>.results)

The service has no field for what the engine wants to say about a picture (a mask that cuts through an object, a word
of the prompt it does not know). It goes into ``state_message`` of a SUCCESS task, which otherwise says OK.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_service_id
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, MhapiHttpError, invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import build_page, check_query_names
from atelier_mcp.server.emulator.tasks import Phase, TaskView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.emulator.mhapi.calls import CallRow, Handler
    from atelier_mcp.server.emulator.mhapi.models import MhapiModelRow
    from atelier_mcp.server.emulator.task_store import ResultImage

ResultBuilder: TypeAlias = Callable[[MhapiCall, TaskView], Awaitable[dict[str, Any]]]

MOST_IDS: Final = 50
OK: Final = "OK"


def build_model_list_handler(all_models: Sequence[MhapiModelRow], *, all_fields: bool) -> Handler:
    """The handler of a service's listing; ``all_fields`` where its example shows six (shared.model_fields)."""
    rows: list[dict[str, Any]] = [model.to_full_row() if all_fields else model.to_short_row() for model in all_models]

    async def list_models(call: MhapiCall) -> Any:
        check_query_names(call.query, "size", "offset", switches=call.switches)
        return build_page(call.query, rows)

    return list_models


def build_task_rows(
    name: str,
    submits: Mapping[str, Handler],
    *,
    listing: Handler,
    build_result: ResultBuilder | None = None,
    batch_services: Sequence[str] = (),
) -> list[CallRow]:
    """The calls of a service below ``/v1/<name>``; ``submits`` are its handlers by the end of their paths.

    Results have links unless ``build_result`` makes others. The batch lookup finds tasks of the services
    ``batch_services``, of this one alone when there are none.
    """
    prefix, build_result = f"/v1/{name}", build_result or build_linked_result
    lookup = build_results_handler(batch_services or (name,), build_result)
    return [
        ("GET", f"{prefix}/models", listing),
        *(("POST", f"{prefix}/{path}", handler) for path, handler in submits.items()),
        ("GET", f"{prefix}/result/{{task_id}}", build_result_handler(name, build_result)),
        ("GET", f"{prefix}/results", lookup),
        ("POST", f"{prefix}/results", lookup),
    ]


def build_submit_response(task_id: str) -> dict[str, str]:
    """The answer to a submit."""
    return {"task_id": task_id}


def build_result_handler(name: str, build_result: ResultBuilder) -> Handler:
    """The handler that answers for one task of a service."""

    async def get_result(call: MhapiCall) -> Any:
        return await build_result(call, await find_view(call, name))

    return get_result


def build_results_handler(names: Sequence[str], build_result: ResultBuilder) -> Handler:
    """The handler that answers for many tasks of the services ``names``, first come first served.

    In the order asked, duplicates once, unknown ones left out (shared.batch_edge).
    """

    async def get_results(call: MhapiCall) -> Any:
        views = await asyncio.gather(*(_find_first_view(call, names, task_id) for task_id in read_task_ids(call)))
        # The envelope has no count and no page (shared.results_envelope).
        return {"results": [await build_result(call, view) for view in views if view is not None]}

    return get_results


async def find_view(call: MhapiCall, name: str) -> TaskView:
    """The task of the path; code 5 when this service and account have none such (shared.unknown_task)."""
    view = await _find_first_view(call, (name,), call.request.path_params["task_id"])
    if view is None:
        raise MhapiHttpError(NOT_FOUND, "the task does not exist")
    return view


def read_task_ids(call: MhapiCall) -> list[str]:
    """The ids of the body, or of the query: repeated or with commas between (shared.results_get_body)."""
    raw_ids = call.body.get("task_ids")
    if raw_ids is None:
        values = call.request.query_params.getlist("task_ids")
        raw_ids = [part for value in values for part in value.split(",") if part]
        # An empty list in the query is a list, no parameter at all is a mistake.
        if not values:
            raise invalid_parameter("task_ids is required")
    if not isinstance(raw_ids, list):
        raise invalid_parameter("task_ids must be an array of strings")
    ids = cast("list[Any]", raw_ids)
    if not all(isinstance(item, str) for item in ids):
        raise invalid_parameter("task_ids must be an array of strings")
    if len(ids) > MOST_IDS:
        raise invalid_parameter(f"task_ids has {len(ids)} entries, at most {MOST_IDS} are allowed")
    return list(dict.fromkeys(ids))


async def build_linked_result(call: MhapiCall, view: TaskView) -> dict[str, Any]:
    """The flat result of a picture task, with links (shared.flat_result)."""
    return {
        **_build_head(view),
        "images": [_build_linked_entry(call, view, index) for index in range(_count_images(view))],
    }


async def build_encoded_result(call: MhapiCall, view: TaskView) -> dict[str, Any]:
    """The same with data URLs in place of links (stylization.get_type)."""
    return {
        **_build_head(view),
        "images": [await _build_encoded_entry(call, view, index) for index in range(_count_images(view))],
    }


def _build_head(view: TaskView) -> dict[str, Any]:
    return {"state": view.phase.value, "state_message": format_message(view), "task_id": view.task.task_id}


def format_message(view: TaskView) -> str:
    """What ``state_message`` says."""
    if view.outcome is None or view.phase not in {Phase.SUCCESS, Phase.FAILED}:
        return ""
    return view.outcome.failed or "; ".join(view.outcome.notes) or OK


def create_link(call: MhapiCall, view: TaskView, name: str) -> str:
    """A link to a file of the task."""
    path = f"tasks/{view.task.service}/{view.task.task_id}/{name}"
    return call.emulator.links.create_link(path, origin=call.origin, seconds=call.emulator.settings.link_seconds)


def _count_images(view: TaskView) -> int:
    return len(view.outcome.images) if view.outcome is not None and view.phase is Phase.SUCCESS else 0


def _get_image(view: TaskView, index: int) -> ResultImage:
    assert view.outcome is not None  # noqa: S101 - a view with a count above 0 has an outcome
    return view.outcome.images[index]


def _build_image_entry(view: TaskView, index: int, *, small: str, raw: str) -> dict[str, Any]:
    """One entry; a picture with an error code has empty links (shared.failed_shape)."""
    code = view.task.verdict.get_error_code(index)
    links = {"small": "", "raw": ""} if code else {"small": small, "raw": raw}
    # The seed is there in every entry, base plus index (shared.seed_missing).
    return {"index": index, "seed": _get_image(view, index).seed, **links, "error_code": code}


def _build_linked_entry(call: MhapiCall, view: TaskView, index: int) -> dict[str, Any]:
    image = _get_image(view, index)
    return _build_image_entry(
        view, index, small=create_link(call, view, image.small), raw=create_link(call, view, image.raw)
    )


async def _build_encoded_entry(call: MhapiCall, view: TaskView, index: int) -> dict[str, Any]:
    image = _get_image(view, index)
    small, raw = [await _build_data_url(call, view, name) for name in (image.small, image.raw)]
    return _build_image_entry(view, index, small=small, raw=raw)


async def _build_data_url(call: MhapiCall, view: TaskView, name: str) -> str:
    path = call.emulator.store.build_path(view.task.service, view.task.task_id, name)
    data = await asyncio.to_thread(path.read_bytes)
    kind = "png" if name.endswith(".png") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


async def _find_first_view(call: MhapiCall, names: Sequence[str], task_id: str) -> TaskView | None:
    for name in names:
        view = await call.emulator.tasks.find(build_service_id(name), task_id, call.account.access_key)
        if view is not None:
            return view
    return None
