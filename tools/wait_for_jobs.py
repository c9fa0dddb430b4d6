"""Wait for jobs that were started earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from atelier_mcp.server.progress import describe_progress
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_list import JobsResult, build_jobs_result

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job


class WaitForJobsArguments(ToolArguments):
    """The arguments of ``wait_for_jobs``."""

    job_ids: list[str] = Field(min_length=1, max_length=50, description="Job ids")
    until: Literal["all", "any"] = Field("all", description="Return when all, or any, have ended")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True, waits=True)
async def wait_for_jobs(arguments: WaitForJobsArguments, context: ToolContext) -> JobsResult:
    """Wait for jobs and return their pictures. Costs nothing; repeat it while jobs are still running."""
    from atelier_mcp.server.jobs.model import JobId

    progress = dict.fromkeys(arguments.job_ids, 0.0)

    def report_progress(job: Job) -> None:
        fraction, job_message = describe_progress(job)
        progress[job.id] = 1.0 if job.is_finished else fraction or progress.get(job.id, 0.0)
        finished_count = sum(value == 1.0 for value in progress.values())
        message = f"{finished_count} of {len(progress)} finished" if len(progress) > 1 else job_message
        context.progress.update(sum(progress.values()) / len(progress), message)

    jobs = await context.services.jobs.wait(
        [JobId(job_id) for job_id in dict.fromkeys(arguments.job_ids)],
        wait_s=context.remaining_s,
        until=arguments.until,
        on_change=report_progress,
    )
    return await build_jobs_result(jobs, context.services, with_previews=True)
