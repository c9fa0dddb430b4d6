"""task_result and task_results: what became of tasks (contract: task_result, task_results)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.answers import UNKNOWN_TASK, Refused, Reply
from atelier_mcp.server.emulator.tasks import Phase, View

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import Call

PICTURES: Final = "miaohua.pictures"
NAMES_OF_ONE: Final = ("task_id", "sensitive_limit_value")
NAMES_OF_MANY: Final = ("task_ids", "sensitive_limit_value")
MOST_IDS: Final = 50
ALL_SENSITIVE: Final = "all pictures were sensitive"
NOT_FOUND: Final = "task not found"


async def one_result(call: Call) -> Reply:
    """One task, with fresh links; code 106 for one that is unknown or another account's."""
    _check_strictness(call)
    view = await call.world.tasks.look(PICTURES, call.given.text("task_id"), call.account.access_key)
    if view is None:
        raise Refused(UNKNOWN_TASK)
    return Reply(result_of(call, view), mirrored=True)


async def many_results(call: Call) -> Reply:
    """Up to fifty tasks in the order asked; an unknown one is over and says so (task_results.unknown_ids)."""
    call.desk.count_status_call(call.account)
    _check_strictness(call)
    task_ids = call.given.texts("task_ids", most=MOST_IDS)
    return Reply([await _entry(call, task_id) for task_id in task_ids])


def result_of(call: Call, view: View) -> dict[str, Any]:
    """The payload about one task in any state; ``wait_time`` is at least how many are ahead of it."""
    images = [
        {
            "large": call.link(path),
            "middle": call.link(small),
            "save_index": index,
            "share": False,
            "shareable": True,
        }
        for index, path, small in _pictures(view)
    ]
    return {**_state(view), "images": images, "wait_time": int(view.phase is Phase.PENDING)}


async def _entry(call: Call, task_id: str) -> dict[str, Any]:
    view = await call.world.tasks.look(PICTURES, task_id, call.account.access_key)
    named = {} if call.switches.bare_batch else {"task_id": task_id}
    if view is None:
        return {"state": "done", "error_msg": NOT_FOUND, "images": [], "select_seed": 0, **named}
    images = [
        {
            "task_id": task_id,
            "task_type": view.task.facts["task_type"],
            "large": call.link(path),
            "middle": call.link(small),
            "small": call.link(small),
            "save_index": index,
        }
        for index, path, small in _pictures(view)
    ]
    return {**_state(view), "images": images, **named}


def _state(view: View) -> dict[str, Any]:
    """Failure is ``done`` with a message and without pictures (task_result.failed_state)."""
    over = view.phase in {Phase.SUCCESS, Phase.FAILED}
    return {
        "state": "done" if over else "pending",
        "error_msg": _error(view) if over else "",
        "select_seed": view.task.facts["seed"],
    }


def _error(view: View) -> str:
    if view.outcome is None or view.outcome.failed:
        return view.outcome.failed if view.outcome else ""
    return "" if _pictures(view) else ALL_SENSITIVE


def _pictures(view: View) -> list[tuple[int, str, str]]:
    """Index, file and small file of the pictures; a blocked one is dropped and keeps its index (sensitive_effect)."""
    if view.phase is not Phase.SUCCESS or view.outcome is None:
        return []
    folder = f"tasks/{view.task.service}/{view.task.task_id}"
    return [
        (index, f"{folder}/{picture.raw}", f"{folder}/{picture.small}")
        for index, picture in enumerate(view.outcome.pictures)
        if not view.task.verdict.code_of(index)
    ]


def _check_strictness(call: Call) -> None:
    """The threshold is held against its bounds; the engine draws nothing that it could block."""
    if call.given.has("sensitive_limit_value"):
        call.given.number("sensitive_limit_value", least=0, most=1)
