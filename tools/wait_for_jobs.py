"""Wait for jobs that were started earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._jobs import JobsResult, jobs_result
from atelier_mcp.tools._waiting import Waiting, news, patience

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job


class Arguments(Waiting):
    """The arguments of ``wait_for_jobs``."""

    model_config = ConfigDict(extra="forbid")

    job_ids: list[str] = Field(min_length=1, max_length=50, description="Job ids")
    until: Literal["all", "any"] = Field("all", description="Return when all, or any, have ended")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True)
async def wait_for_jobs(arguments: Arguments, studio: Studio) -> JobsResult:
    """Wait for jobs and return their pictures. Costs nothing; repeat it while jobs are still running."""
    from atelier_mcp.server.jobs.model import JobId

    progress = dict.fromkeys(arguments.job_ids, 0.0)

    def tell(job: Job) -> None:
        share, words = news(job)
        progress[job.id] = 1.0 if job.finished else share or progress.get(job.id, 0.0)
        done = sum(value == 1.0 for value in progress.values())
        counted = f"{done} of {len(progress)} finished" if len(progress) > 1 else words
        studio.progress.note(sum(progress.values()) / len(progress), counted)

    jobs = await studio.rooms.jobs.wait(
        [JobId(job_id) for job_id in dict.fromkeys(arguments.job_ids)],
        wait_s=studio.left_s(patience(arguments, studio)),
        until=arguments.until,
        on_change=tell,
    )
    return await jobs_result(jobs, studio.rooms, pictures=True)
