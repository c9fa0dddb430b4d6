"""Give jobs up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.server.tool_result import ToolResult
from atelier_mcp.tools._job_list import JobSelection, format_unknown_ids, select_jobs

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.services import Services

ALL: Final = "all"


class CancelJobsArguments(ToolArguments):
    """The arguments of ``cancel_jobs``."""

    # No default: leaving the argument out must not cancel everything.
    job_ids: list[str] = Field(min_length=1, max_length=100, description="Job ids, or all: every unfinished job")


class JobCancellation(BaseModel):
    """What became of one job."""

    job_id: str
    state: str
    message: str


class CancelJobsResult(ToolResult):
    """What became of each job."""

    jobs: list[JobCancellation] = Field(default_factory=list[JobCancellation])
    unknown_ids: list[str] = Field(default_factory=list[str])

    def format_text(self) -> str:
        """One line per job."""
        lines = [f"{job.job_id}: {job.message}" for job in self.jobs]
        return "\n".join([*lines, *format_unknown_ids(self.unknown_ids)]) or "No job is unfinished."


@tool(toolset="jobs", read_only=False, destructive=True, idempotent=True)
async def cancel_jobs(arguments: CancelJobsArguments, context: ToolContext) -> CancelJobsResult:
    """Give up jobs: no pictures are kept. Says of each what it costs: most services go on and charge."""
    services = context.services
    # Beside other ids, too: it includes them.
    if ALL in arguments.job_ids:
        selection = JobSelection(await services.jobs.list_unfinished(caller=context.caller))
    else:
        selection = await select_jobs(arguments.job_ids, services)
    cancelled_jobs = await asyncio.gather(*(services.jobs.cancel(job.id) for job in selection.jobs))
    return CancelJobsResult(
        jobs=[_describe_cancellation(job, services) for job in cancelled_jobs], unknown_ids=selection.unknown_ids
    )


def _describe_cancellation(job: Job, services: Services) -> JobCancellation:
    from atelier_mcp.server.jobs.model import get_state_name

    return JobCancellation(job_id=job.id, state=get_state_name(job.state), message=_format_outcome(job, services))


def _format_outcome(job: Job, services: Services) -> str:
    """What a job costs after it was cancelled, or why it was not."""
    from atelier_mcp.server.jobs.model import Cancelled, Saving, Unconfirmed, get_state_name

    provider = services.router.find_by_account(job.account)
    match job.state:
        # Before the other cancellations, whose words about charges are not true of the stand-in.
        case Cancelled() if provider is not None and provider.is_emulated:
            return "cancelled. The built-in stand-in costs nothing."
        case Cancelled(upstream_stopped=True):
            return f"cancelled. {job.provider} stopped: nothing is charged."
        case Cancelled():
            return f"cancelled here. {job.provider} may go on and charge for it ({_format_price(job)})."
        # The price was paid; throwing the pictures away would save nothing.
        case Saving():
            return "not cancelled: its pictures are made and paid for, and are being stored. wait_for_jobs shows them."
        case Unconfirmed():
            return "unconfirmed: it was sent and never answered, so it cannot be stopped and may have been charged."
        case state:
            return f"already {get_state_name(state)}; nothing was changed."


def _format_price(job: Job) -> str:
    return f"{job.image_count} picture{'s' * (job.image_count != 1)}" if job.image_count else "no picture"
