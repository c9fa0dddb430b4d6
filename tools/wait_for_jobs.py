"""Wait for jobs that were started earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from atelier_mcp.server.job_result import add_previews
from atelier_mcp.server.progress import describe_progress
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_list import JobSelection, JobsResult, build_jobs_result, select_jobs

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job

MAX_JOBS: Final = 50


class WaitForJobsArguments(ToolArguments):
    """The arguments of ``wait_for_jobs``."""

    job_ids: list[str] = Field(
        default_factory=list[str], max_length=MAX_JOBS, description="Job ids; else all that are unfinished"
    )
    until: Literal["all", "any"] = Field("all", description="Return when all, or any, have ended")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True, waits=True, opens_studio=True)
async def wait_for_jobs(arguments: WaitForJobsArguments, context: ToolContext) -> JobsResult:
    """Wait for jobs and return their pictures. Free; repeat it while any runs."""
    services = context.services
    if arguments.job_ids:
        selection = await select_jobs(arguments.job_ids, services)
    else:
        selection = JobSelection(await services.jobs.list_awaited(context.caller, limit=MAX_JOBS))
    # All at 0 from the start, or the share would be of those alone that were heard of.
    progress = dict.fromkeys((job.id for job in selection.jobs), 0.0)

    def report_progress(job: Job) -> None:
        fraction, job_message = describe_progress(job)
        # What a service said before stands until it says more: a poll without a share is no step back.
        progress[job.id] = 1.0 if job.is_finished else fraction or progress.get(job.id, 0.0)
        finished_count = sum(value == 1.0 for value in progress.values())
        message = f"{finished_count} of {len(progress)} finished" if len(progress) > 1 else job_message
        context.progress.update(sum(progress.values()) / len(progress), message)

    names = arguments.job_ids or [job.id for job in selection.jobs]
    jobs = await context.wait(names, selection.jobs, until=arguments.until, on_change=report_progress)
    # Those that have ended are told now, and left out when the caller next waits without naming any.
    await services.jobs.note_answer(context.caller, jobs)
    result, preview_images = await build_jobs_result(jobs, services)
    result.unknown_ids = selection.unknown_ids or None
    # The first one of each job before its others: where not all are shown, something of each is.
    rank_by_handle = {image.handle: rank for job in result.jobs for rank, image in enumerate(job.images)}
    preview_images.sort(key=lambda one: rank_by_handle.get(one.image.handle, 0))
    result.notes += await add_previews(result, preview_images, services)
    return result
