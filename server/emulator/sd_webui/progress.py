"""How far the job at work is, where a task stands, and an end to either (contract: progress, internal.progress)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_webui.errors import build_route_error
from atelier_mcp.server.emulator.sd_webui.parameters import REQUIRED, WebuiField, read_fields

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

TASK_FIELDS = {
    "id_task": WebuiField("string", REQUIRED),
    "id_live_preview": WebuiField("integer", -1),
    "live_preview": WebuiField("boolean", default=True),
}


def build_rows() -> list[CallRow]:
    """All of them."""
    return [
        ("GET", "/sdapi/v1/progress", report_progress),
        ("POST", "/sdapi/v1/interrupt", interrupt),
        ("POST", "/sdapi/v1/skip", skip),
        ("POST", "/internal/progress", report_task),
        ("GET", "/internal/pending-tasks", list_pending),
    ]


async def report_progress(call: WebuiCall) -> dict[str, Any]:
    """Of whatever is at work, whoever sent it (progress.whose)."""
    job = call.server.queue.job
    progress = 0.0 if job is None else job.compute_progress(call.emulator.clock.now())
    seconds = 0.0 if job is None else job.seconds
    steps = 0 if job is None else job.steps
    answer = {
        "progress": progress,
        "eta_relative": round(seconds * (1 - progress), 3) if job else 0.0,
        "state": {
            "skipped": bool(job and job.is_skipped),
            "interrupted": bool(job and job.is_interrupted),
            "stopping_generation": False,
            "job": "scripts_txt2img" if job else "",
            "job_count": 1 if job else 0,
            "job_timestamp": "0",
            "job_no": 0,
            "sampling_step": int(progress * steps),
            "sampling_steps": steps,
        },
        "current_image": None,
        "textinfo": None,
    }
    return {"id": job.task_id if job else "", **answer} if call.switches.variant == "sdnext" else answer


async def interrupt(call: WebuiCall) -> Any:
    """Stop whatever is at work; it answers with what it has (interrupt.whose)."""
    call.server.queue.interrupt()
    return None if call.switches.variant == "sdnext" else {}


async def skip(call: WebuiCall) -> None:
    """End the batch at work."""
    call.server.queue.skip()


async def report_task(call: WebuiCall) -> dict[str, Any]:
    """Where one task stands: at work, waiting, over, or none of these."""
    _require_page(call)
    task_id, queue = read_fields(call.body, TASK_FIELDS)["id_task"], call.server.queue
    is_active = queue.current is not None and queue.current.task_id == task_id
    is_queued = task_id in queue.pending
    answer: dict[str, Any] = {
        "active": is_active,
        "queued": is_queued,
        "completed": task_id in queue.finished,
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": -1,
        "textinfo": "Waiting..." if not is_active else None,
    }
    if is_queued:
        answer["textinfo"] = f"In queue: {queue.pending.index(task_id) + 1}/{len(queue.pending)}"
    if is_active and queue.job is not None:
        progress = queue.job.compute_progress(call.emulator.clock.now())
        answer |= {"progress": progress, "eta": round(queue.job.seconds * (1 - progress), 3)}
    return answer


async def list_pending(call: WebuiCall) -> dict[str, Any]:
    """The ids that wait."""
    _require_page(call)
    return {"size": len(call.server.queue.pending), "tasks": list(call.server.queue.pending)}


def _require_page(call: WebuiCall) -> None:
    if not call.switches.has_page:
        raise build_route_error()
