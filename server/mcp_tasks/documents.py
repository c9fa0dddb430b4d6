"""What a client is told of a task: how far it is, since when, and when to ask again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cancel_outcome import format_cancel_outcome
from atelier_mcp.server.job_result import describe_job
from atelier_mcp.server.jobs.model import get_state_name
from atelier_mcp.server.jobs.schedule import compute_next_poll_age_s
from atelier_mcp.server.mcp_tasks.negotiation import TaskForClient
from atelier_mcp.server.progress import describe_progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.jobs.timing import JobTiming
    from atelier_mcp.server.mcp_tasks.call_tasks import CallTask
    from atelier_mcp.server.services import Services

FIRST_INTERVAL_S: Final = 1.0
"""For a job whose like was never seen."""
MIN_INTERVAL_S: Final = 0.5
MAX_INTERVAL_S: Final = 15.0
ATTENDANCE_MARGIN_S: Final = 5.0
"""A client may be so much later than it was told to, and its job is polled as for somebody who waits."""


async def create_task(
    task: CallTask, jobs: Sequence[Job], services: Services, *, notes: Sequence[str] = ()
) -> TaskForClient:
    """The end of a call that goes on as ``task``; ``notes`` come before what is said of its ``jobs``."""
    return TaskForClient(await build_document(task, jobs, services, notes=notes))


async def build_document(
    task: CallTask, jobs: Sequence[Job], services: Services, *, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """The task as its ``jobs`` stand, without its result; while it is working, they are polled for its client."""
    timings = await services.jobs.measure(jobs)
    status, created_at = task.get_status(jobs), task.find_created_at(jobs)
    updated_at = max(created_at, *(job.updated_at for job in jobs))
    words = [*notes, *await _describe(jobs, timings, services)]
    document: dict[str, Any] = {
        "taskId": task.id,
        "status": status,
        "statusMessage": " ".join(words),
        "createdAt": _format_moment(created_at),
        "lastUpdatedAt": _format_moment(updated_at),
        "ttlMs": _compute_ttl_ms(created_at, updated_at, services.settings.keep_days),
    }
    if status == "working":
        interval_s = min(map(_choose_interval_s, timings.values()), default=FIRST_INTERVAL_S)
        document["pollIntervalMs"] = round(interval_s * 1000)
        await services.jobs.attend(jobs, for_s=2 * interval_s + ATTENDANCE_MARGIN_S)
    return document


async def _describe(jobs: Sequence[Job], timings: Mapping[JobId, JobTiming], services: Services) -> list[str]:
    """Where the jobs are, in a few words."""
    from atelier_mcp.server.jobs.model import Cancelled

    if len(jobs) > 1:
        return [f"{sum(job.is_finished for job in jobs)} of {len(jobs)} jobs have ended."]
    (job,) = jobs
    if isinstance(job.state, Cancelled):
        return [f"Job {job.id}: {format_cancel_outcome(job, services)}"]
    if job.is_finished:
        return [f"Job {job.id}: {get_state_name(job.state)}."]
    result, _ = await describe_job(job, services, timing=timings.get(job.id))
    # Without what was chosen for the caller: that is said with the result.
    return [f"Job {job.id}: {describe_progress(job)[1]}.", *result.notes[len(job.notes) :]]


def _choose_interval_s(timing: JobTiming) -> float:
    """When to ask again, in seconds: about when such jobs are done."""
    if timing.typical_s is None:
        return FIRST_INTERVAL_S
    next_age_s = compute_next_poll_age_s(timing.age_s, typical_s=timing.typical_s, has_waiters=True)
    return min(max(next_age_s - timing.age_s, MIN_INTERVAL_S), MAX_INTERVAL_S)


def _compute_ttl_ms(created_at: datetime, updated_at: datetime, keep_days: int | None) -> int | None:
    """How long after its creation it can be asked for: as long as its jobs are kept, which is counted from their end.

    None where they are kept for ever.
    """
    if keep_days is None:
        return None
    return round((updated_at - created_at + timedelta(days=keep_days)).total_seconds() * 1000)


def _format_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
