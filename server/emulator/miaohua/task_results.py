"""task_result and task_results: what became of tasks (contract: task_result, task_results)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.errors import UNKNOWN_TASK, MiaohuaHttpError
from atelier_mcp.server.emulator.tasks import Phase, TaskView

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall

IMAGE_TASKS: Final = "miaohua.pictures"
NAMES_OF_ONE: Final = ("task_id", "sensitive_limit_value")
NAMES_OF_MANY: Final = ("task_ids", "sensitive_limit_value")
# One more is code 129 (task_results.over_50).
MOST_IDS: Final = 50
ALL_SENSITIVE: Final = "all pictures were sensitive"
NOT_FOUND: Final = "task not found"


def build_rows() -> list[CallRow]:
    """Both calls."""
    return [
        ("POST", "/task_result", get_result, NAMES_OF_ONE),
        ("POST", "/task_results", get_results, NAMES_OF_MANY),
    ]


async def get_result(call: MiaohuaCall) -> MiaohuaApiResponse:
    """One task, with fresh links; code 106 for one that is unknown or another account's."""
    _check_sensitive_limit(call)
    view = await call.emulator.tasks.find(IMAGE_TASKS, call.parameters.read_text("task_id"), call.account.access_key)
    if view is None:
        raise MiaohuaHttpError(UNKNOWN_TASK)
    return MiaohuaApiResponse(build_result(call, view), mirrored=True)


async def get_results(call: MiaohuaCall) -> MiaohuaApiResponse:
    """Up to fifty tasks in the order asked; an unknown one is over and says so (task_results.unknown_ids)."""
    # The batch call alone has a rate of its own (contract: task_results.rate_scope).
    call.state.count_status_call(call.account)
    _check_sensitive_limit(call)
    task_ids = call.parameters.read_texts("task_ids", most=MOST_IDS)
    return MiaohuaApiResponse([await _build_entry(call, task_id) for task_id in task_ids])


def build_result(call: MiaohuaCall, view: TaskView) -> dict[str, Any]:
    """The payload about one task in any state; ``wait_time`` is at least how many are ahead of it."""
    images = [
        {
            "large": call.create_link(path),
            "middle": call.create_link(small),
            "save_index": index,
            "share": False,
            "shareable": True,
        }
        for index, path, small in _list_images(view)
    ]
    return {**_build_state(view), "images": images, "wait_time": int(view.phase is Phase.PENDING)}


async def _build_entry(call: MiaohuaCall, task_id: str) -> dict[str, Any]:
    view = await call.emulator.tasks.find(IMAGE_TASKS, task_id, call.account.access_key)
    id_field = {} if call.switches.bare_batch else {"task_id": task_id}
    if view is None:
        return {"state": "done", "error_msg": NOT_FOUND, "images": [], "select_seed": 0, **id_field}
    images = [
        {
            "task_id": task_id,
            # txt2img, img2img or outpaint (task_results.task_type_values).
            "task_type": view.task.facts["task_type"],
            "large": call.create_link(path),
            "middle": call.create_link(small),
            "small": call.create_link(small),
            "save_index": index,
        }
        for index, path, small in _list_images(view)
    ]
    return {**_build_state(view), "images": images, **id_field}


def _build_state(view: TaskView) -> dict[str, Any]:
    """Failure is ``done`` with a message and without pictures (task_result.failed_state)."""
    over = view.phase in {Phase.SUCCESS, Phase.FAILED}
    return {
        "state": "done" if over else "pending",
        "error_msg": _format_error(view) if over else "",
        "select_seed": view.task.facts["seed"],
        # An addition of ours (contract: task_result.remarks).
        **({"remarks": list(view.outcome.notes)} if over and view.outcome and view.outcome.notes else {}),
    }


def _format_error(view: TaskView) -> str:
    if view.outcome is None or view.outcome.failed:
        return view.outcome.failed if view.outcome else ""
    return "" if _list_images(view) else ALL_SENSITIVE


def _list_images(view: TaskView) -> list[tuple[int, str, str]]:
    """Index, file and small file of the pictures; a blocked one is dropped and keeps its index (sensitive_effect)."""
    if view.phase is not Phase.SUCCESS or view.outcome is None:
        return []
    folder = f"tasks/{view.task.service}/{view.task.task_id}"
    return [
        (index, f"{folder}/{image.raw}", f"{folder}/{image.small}")
        for index, image in enumerate(view.outcome.images)
        if not view.task.verdict.get_error_code(index)
    ]


def _check_sensitive_limit(call: MiaohuaCall) -> None:
    """The threshold is held against its bounds; the engine draws nothing that it could block."""
    if call.parameters.has("sensitive_limit_value"):
        call.parameters.read_number("sensitive_limit_value", least=0, most=1)
