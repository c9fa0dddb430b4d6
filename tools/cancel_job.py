"""Give a job up."""

from __future__ import annotations

from pydantic import Field

from atelier_mcp.server.job_result import JobResult, describe_job
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext


class CancelJobArguments(ToolArguments):
    """The arguments of ``cancel_job``."""

    job_id: str = Field(min_length=1, description="Job id")


@tool(toolset="jobs", read_only=False, destructive=True, idempotent=True)
async def cancel_job(arguments: CancelJobArguments, context: ToolContext) -> JobResult:
    """Give up a job: its pictures will not be kept. Most services go on and charge all the same."""
    from atelier_mcp.server.jobs.model import Cancelled, JobId

    job = await context.services.jobs.cancel(JobId(arguments.job_id))
    result, _ = await describe_job(job, context.services)
    if isinstance(job.state, Cancelled):
        note = "The service stopped." if job.state.upstream_stopped else "The service may go on and charge for it."
        result.notes.append(note)
    else:
        result.notes.append("It had already ended; nothing was changed.")
    return result
