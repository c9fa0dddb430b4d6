"""Task results: one by its id, or up to fifty at once (contract: <service>.result, <service>.results).

The service has no field for what the engine wants to say about a picture (a mask that cuts through an object, a word
of the prompt it does not know). It goes into ``state_message`` of a SUCCESS task, which otherwise says OK.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from atelier_mcp.server.emulator.mhapi.calls import Call, service
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, Refused, invalid
from atelier_mcp.server.emulator.tasks import Phase, View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.mhapi.calls import Handler
    from atelier_mcp.server.emulator.task_store import Picture

Shape: TypeAlias = Callable[[Call, View], Awaitable[dict[str, Any]]]

MOST_IDS: Final = 50
OK: Final = "OK"


def single(name: str, shape: Shape) -> Handler:
    """The handler that answers for one task of a service."""

    async def result(call: Call) -> Any:
        return await shape(call, await view_of(call, name))

    return result


def batch(names: Sequence[str], shape: Shape) -> Handler:
    """The handler that answers for many tasks of the services ``names``, first come first served.

    In the order asked, duplicates once, unknown ones left out (shared.batch_edge).
    """

    async def results(call: Call) -> Any:
        found = await asyncio.gather(*(_first(call, names, task_id) for task_id in task_ids(call)))
        return {"results": [await shape(call, view) for view in found if view is not None]}

    return results


async def view_of(call: Call, name: str) -> View:
    """The task of the path; code 5 when this service and account have none such (shared.unknown_task)."""
    view = await _first(call, (name,), call.request.path_params["task_id"])
    if view is None:
        raise Refused(NOT_FOUND, "the task does not exist")
    return view


def task_ids(call: Call) -> list[str]:
    """The ids of the body, or of the query: repeated or with commas between (shared.results_get_body)."""
    given = call.body.get("task_ids")
    if given is None:
        values = call.request.query_params.getlist("task_ids")
        given = [part for value in values for part in value.split(",") if part]
        if not values:
            raise invalid("task_ids is required")
    if not isinstance(given, list):
        raise invalid("task_ids must be an array of strings")
    ids = cast("list[Any]", given)
    if not all(isinstance(item, str) for item in ids):
        raise invalid("task_ids must be an array of strings")
    if len(ids) > MOST_IDS:
        raise invalid(f"task_ids has {len(ids)} entries, at most {MOST_IDS} are allowed")
    return list(dict.fromkeys(ids))


async def pictures(call: Call, view: View) -> dict[str, Any]:
    """The flat result of a picture task, with links (shared.flat_result)."""
    return {**_head(view), "images": [_linked(call, view, index) for index in range(_count(view))]}


async def encoded_pictures(call: Call, view: View) -> dict[str, Any]:
    """The same with data URLs in place of links (stylization.get_type)."""
    return {**_head(view), "images": [await _encoded(call, view, index) for index in range(_count(view))]}


def _head(view: View) -> dict[str, Any]:
    return {"state": view.phase.value, "state_message": message(view), "task_id": view.task.task_id}


def message(view: View) -> str:
    """What ``state_message`` says."""
    if view.outcome is None or view.phase not in {Phase.SUCCESS, Phase.FAILED}:
        return ""
    return view.outcome.failed or "; ".join(view.outcome.notes) or OK


def link(call: Call, view: View, name: str) -> str:
    """A link to a file of the task."""
    path = f"tasks/{view.task.service}/{view.task.task_id}/{name}"
    return call.world.links.make(path, origin=call.origin, seconds=call.world.settings.link_seconds)


def _count(view: View) -> int:
    return len(view.outcome.pictures) if view.outcome is not None and view.phase is Phase.SUCCESS else 0


def _picture(view: View, index: int) -> Picture:
    assert view.outcome is not None  # noqa: S101 - a view with a count above 0 has an outcome
    return view.outcome.pictures[index]


def _image(view: View, index: int, *, small: str, raw: str) -> dict[str, Any]:
    """One entry; a picture with an error code has empty links (shared.failed_shape)."""
    code = view.task.verdict.code_of(index)
    links = {"small": "", "raw": ""} if code else {"small": small, "raw": raw}
    return {"index": index, "seed": _picture(view, index).seed, **links, "error_code": code}


def _linked(call: Call, view: View, index: int) -> dict[str, Any]:
    picture = _picture(view, index)
    return _image(view, index, small=link(call, view, picture.small), raw=link(call, view, picture.raw))


async def _encoded(call: Call, view: View, index: int) -> dict[str, Any]:
    picture = _picture(view, index)
    small, raw = [await _data_url(call, view, name) for name in (picture.small, picture.raw)]
    return _image(view, index, small=small, raw=raw)


async def _data_url(call: Call, view: View, name: str) -> str:
    path = call.world.store.path(view.task.service, view.task.task_id, name)
    data = await asyncio.to_thread(path.read_bytes)
    kind = "png" if name.endswith(".png") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


async def _first(call: Call, names: Sequence[str], task_id: str) -> View | None:
    for name in names:
        view = await call.world.tasks.look(service(name), task_id, call.account.access_key)
        if view is not None:
            return view
    return None
