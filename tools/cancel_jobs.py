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
    """Give up jobs. Says of each what it costs: most services go on and charge."""
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
    from atelier_mcp.server.cancel_outcome import format_cancel_outcome
    from atelier_mcp.server.jobs.model import get_state_name

    return JobCancellation(job_id=job.id, state=get_state_name(job.state), message=format_cancel_outcome(job, services))
