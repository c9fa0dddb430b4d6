"""Several jobs in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from atelier_mcp.server.job_result import JobResult, PreviewImage, add_previews, describe_job
from atelier_mcp.server.tool_result import ToolResult
from atelier_mcp.tools._library_image import format_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.services import Services


class ListedJob(JobResult):
    """A job together with what was asked."""

    tool: str = ""
    request: dict[str, Any] | None = None
    created_at: str = ""

    def format_text(self) -> str:
        """What was asked and when, then the job's own text."""
        return f"{self.created_at}  {format_call(self.tool, self.request or {})}\n{super().format_text()}"


class JobsResult(ToolResult):
    """Jobs, each as its own tool would have answered."""

    shows_images: ClassVar[bool] = True

    jobs: list[ListedJob] = Field(default_factory=list[ListedJob])
    more: bool | None = None

    def format_text(self) -> str:
        """Each job's own text."""
        parts = [job.format_text() for job in self.jobs] or ["There are no such jobs."]
        if self.more:
            parts.append("There are more: raise offset.")
        return "\n\n".join(parts)


async def build_jobs_result(jobs: Sequence[Job], services: Services, *, with_previews: bool) -> JobsResult:
    """The answer for several jobs; with ``with_previews``, the first few are shown."""
    jobs_result = JobsResult()
    preview_images: list[PreviewImage] = []
    for job in jobs:
        result, job_images = await describe_job(job, services)
        jobs_result.jobs.append(
            ListedJob(
                **dict(result),
                tool=job.capability,
                request=dict(job.request),
                created_at=f"{job.created_at:%Y-%m-%d %H:%M} UTC",
            )
        )
        preview_images += job_images
    if with_previews:
        await add_previews(jobs_result, preview_images, services)
    return jobs_result
