"""The calls of 2026: one job by its id, in whatever state (contract: jobs.one, jobs.list, jobs.cancel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiCall, ComfyuiRow
    from atelier_mcp.server.emulator.comfyui.prompt_queue import EmulatedPromptQueue, QueueItem

MAX_LISTED = 200


def build_rows() -> list[ComfyuiRow]:
    """The calls, which are below ``/api`` alone."""
    return [
        ("GET", "/api/jobs", list_jobs),
        ("GET", "/api/jobs/{job_id}", read_job),
        ("POST", "/api/jobs/{job_id}/cancel", cancel_job),
    ]


async def list_jobs(call: ComfyuiCall) -> Response:
    """Jobs in the states that are asked for."""
    _require_routes(call)
    wanted = [word for word in call.request.query_params.get("status", "").split(",") if word]
    limit = min(MAX_LISTED, int(call.request.query_params.get("limit", MAX_LISTED)))
    jobs = [job for job in _list_all(call.state.queue) if not wanted or job["status"] in wanted]
    return JSONResponse({"jobs": jobs[:limit], "pagination": {"total": len(jobs), "limit": limit, "offset": 0}})


async def read_job(call: ComfyuiCall) -> Response:
    """One job."""
    _require_routes(call)
    job = next((job for job in _list_all(call.state.queue) if job["id"] == call.request.path_params["job_id"]), None)
    if job is None:
        raise ComfyuiHttpError(404, build_error_body(404))
    return JSONResponse(job)


async def cancel_job(call: ComfyuiCall) -> Response:
    """Take a job out of the queue, or stop it."""
    _require_routes(call)
    job_id, queue = call.request.path_params["job_id"], call.state.queue
    known = [item for item in (*queue.running, *queue.pending) if item.prompt_id == job_id]
    queue.remove(lambda item: item.prompt_id == job_id)
    queue.interrupt(job_id)
    return JSONResponse({"cancelled": bool(known)})


def _require_routes(call: ComfyuiCall) -> None:
    if not call.switches.has_jobs_routes:
        raise ComfyuiHttpError(404, build_error_body(404))


def _list_all(queue: EmulatedPromptQueue) -> list[dict[str, Any]]:
    done = [_describe_finished(prompt_id, entry) for prompt_id, entry in queue.history.items()]
    running = [_describe_item(item, "in_progress") for item in queue.running]
    return [*[_describe_item(item, "pending") for item in queue.pending], *running, *done]


def _describe_item(item: QueueItem, status: str) -> dict[str, Any]:
    return {"id": item.prompt_id, "status": status, "create_time": item.created_ms, "outputs": {}}


def _describe_finished(prompt_id: str, entry: dict[str, Any]) -> dict[str, Any]:
    kind, data = entry["status"]["messages"][-1]
    states = {"execution_success": "completed", "execution_interrupted": "cancelled"}
    return {
        "id": prompt_id,
        "status": states.get(kind, "failed"),
        "create_time": entry["status"]["messages"][0][1]["timestamp"],
        "outputs": entry["outputs"],
        "execution_error": data if kind == "execution_error" else None,
    }
