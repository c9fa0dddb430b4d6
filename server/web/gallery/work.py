"""The jobs that are under way and what was spent, for the gallery's page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.model import Running, get_state_name
from atelier_mcp.server.jobs.spending import amounts_to_document

if TYPE_CHECKING:
    from datetime import datetime

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.settings import Settings

MAX_JOBS: Final = 50
SPENDING_DAYS: Final = 14


async def load_work(jobs: JobService, settings: Settings, *, now: datetime) -> dict[str, Any]:
    """Unfinished jobs, oldest first, and what the last two weeks cost by day, caller and account."""
    unfinished_jobs = await jobs.list_unfinished(limit=MAX_JOBS)
    timings = await jobs.measure(unfinished_jobs)
    spending = await jobs.list_spending_by_caller(to_utc_day(now - timedelta(days=SPENDING_DAYS - 1)))
    typical_s = {job_id: timing.typical_s for job_id, timing in timings.items()}
    return {
        "jobs": [_describe_job(job, typical_s.get(job.id)) for job in unfinished_jobs],
        "spending": [row.to_document() for row in spending],
        "budget_per_day": settings.budget_per_day,
        "money_per_day": amounts_to_document(settings.money_per_day or {}),
    }


def _describe_job(job: Job, typical_s: float | None) -> dict[str, Any]:
    """Without what changes by itself every second: the page counts on its own."""
    return {
        "id": job.id,
        "state": get_state_name(job.state),
        "tool": job.capability,
        "prompt": str(job.request.get("prompt") or ""),
        "pictures": job.image_count,
        "account": job.account,
        "created_s": job.created_at.timestamp(),
        "progress": job.state.progress if isinstance(job.state, Running) else None,
        "typical_s": None if typical_s is None else round(typical_s, 1),
    }
