"""Workflows queued, looked at, taken out and forgotten (contract: prompt.post, queue_get, history.one, interrupt)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body
from atelier_mcp.server.emulator.comfyui.node_classes import CLASSES
from atelier_mcp.server.emulator.comfyui.parameters import parse_prompt
from atelier_mcp.server.emulator.comfyui.prompt_queue import QueueItem
from atelier_mcp.server.emulator.comfyui.validation import check_graph
from atelier_mcp.server.emulator.faults import get_verdict

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiCall, ComfyuiRow
    from atelier_mcp.server.emulator.comfyui.parameters import PromptParameters

_UNPAID = "Unauthorized: Please login first to use this node."


def build_rows() -> list[ComfyuiRow]:
    """The calls."""
    return [
        ("POST", "/prompt", queue_prompt),
        ("GET", "/prompt", count_prompts),
        ("GET", "/queue", read_queue),
        ("POST", "/queue", change_queue),
        ("GET", "/history", list_history),
        ("GET", "/history/{prompt_id}", read_history),
        ("POST", "/history", change_history),
        ("GET", "/history_v2", list_history),
        ("GET", "/history_v2/{prompt_id}", read_history),
        ("POST", "/interrupt", interrupt),
    ]


async def queue_prompt(call: ComfyuiCall) -> Response:
    """Check a workflow and queue it."""
    queue = call.state.queue
    no_errors: Any = {} if call.switches.empty_node_errors == "object" else []
    parameters = parse_prompt(call.body, mints_ids=call.switches.mints_ids, no_errors=no_errors)
    checked = await asyncio.to_thread(
        check_graph, parameters.graph, has_file=call.state.files.has_input, no_errors=no_errors
    )
    targets = parameters.targets
    number = queue.take_number(is_first=parameters.is_first) if parameters.number is None else parameters.number
    queue.put(
        QueueItem(
            number=number,
            prompt_id=parameters.prompt_id,
            graph=parameters.graph,
            extra_data=parameters.extra_data,
            outputs=checked.outputs if targets is None else tuple(one for one in checked.outputs if one in targets),
            client_id=parameters.client_id,
            failure=_find_failure(call, parameters),
            created_ms=int(call.state.emulator.clock.now() * 1000),
        )
    )
    errors = checked.node_errors or no_errors
    return JSONResponse({"prompt_id": parameters.prompt_id, "number": number, "node_errors": errors})


def _find_failure(call: ComfyuiCall, parameters: PromptParameters) -> str:
    """Why the workflow will fail: a fault on order, or a partner's node that nobody pays for."""
    verdict = get_verdict(call.request)
    if verdict is not None and (verdict.failed or verdict.code):
        return verdict.failed or str(verdict.code)
    is_paid = any(CLASSES[node["class_type"]].is_paid for node in parameters.graph.values())
    return _UNPAID if is_paid and not parameters.has_key else ""


async def count_prompts(call: ComfyuiCall) -> Response:
    """How much is left to do."""
    return JSONResponse(call.state.queue.describe_status())


async def read_queue(call: ComfyuiCall) -> Response:
    """What runs and what waits."""
    queue = call.state.queue
    return JSONResponse(
        {
            "queue_running": [item.to_document() for item in queue.running],
            "queue_pending": [item.to_document() for item in queue.pending],
        }
    )


async def change_queue(call: ComfyuiCall) -> Response:
    """Take waiting workflows out."""
    if call.body.get("clear"):
        call.state.queue.remove(lambda _: True)
    ids = _read_ids(call)
    call.state.queue.remove(lambda item: item.prompt_id in ids)
    return Response()


async def list_history(call: ComfyuiCall) -> Response:
    """The newest entries, or those from an offset on."""
    entries = list(call.state.queue.history.items())
    most = _read_number(call, "max_items", len(entries))
    offset = _read_number(call, "offset", -1)
    start = max(0, len(entries) - most) if offset < 0 else offset
    return JSONResponse(dict(entries[start : start + most]))


async def read_history(call: ComfyuiCall) -> Response:
    """One entry by its id; nothing where it is not finished, or unknown."""
    prompt_id = call.request.path_params["prompt_id"]
    entry = call.state.queue.history.get(prompt_id)
    return JSONResponse({} if entry is None else {prompt_id: entry})


async def change_history(call: ComfyuiCall) -> Response:
    """Forget entries."""
    call.state.queue.forget(None if call.body.get("clear") else _read_ids(call))
    return Response()


async def interrupt(call: ComfyuiCall) -> Response:
    """Stop what runs (contract: comfy.interrupt)."""
    prompt_id = call.body.get("prompt_id")
    call.state.queue.interrupt(None if call.switches.interrupts_any or prompt_id is None else str(prompt_id))
    return Response()


def _read_ids(call: ComfyuiCall) -> list[str]:
    ids = call.body.get("delete")
    return [str(one) for one in cast("list[Any]", ids)] if isinstance(ids, list) else []


def _read_number(call: ComfyuiCall, name: str, default: int) -> int:
    text = call.request.query_params.get(name)
    try:
        return default if text is None else int(text)
    except ValueError:
        raise ComfyuiHttpError(500, build_error_body(500)) from None
