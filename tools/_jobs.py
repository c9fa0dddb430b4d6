"""Several jobs in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from atelier_mcp.server.answers import Answer
from atelier_mcp.tools._pictures import asked
from atelier_mcp.tools._results import JobResult, Shown, described, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.studio import Rooms


class ListedJob(JobResult):
    """A job together with what was asked."""

    tool: str = ""
    request: dict[str, Any] | None = None
    created_at: str = ""

    def text(self) -> str:
        """What was asked and when, then the job's own text."""
        return f"{self.created_at}  {asked(self.tool, self.request or {})}\n{super().text()}"


class JobsResult(Answer):
    """Jobs, each as its own tool would have answered."""

    jobs: list[ListedJob] = Field(default_factory=list[ListedJob])
    more: bool | None = None

    def text(self) -> str:
        """Each job's own text."""
        parts = [job.text() for job in self.jobs] or ["There are no such jobs."]
        if self.more:
            parts.append("There are more: raise offset.")
        return "\n\n".join(parts)


async def jobs_result(jobs: Sequence[Job], rooms: Rooms, *, pictures: bool) -> JobsResult:
    """The answer for several jobs; with ``pictures``, the first few are shown."""
    answer = JobsResult()
    shown: list[Shown] = []
    for job in jobs:
        result, stored = await described(job, rooms)
        answer.jobs.append(
            ListedJob(
                **dict(result),
                tool=job.capability,
                request=dict(job.request),
                created_at=f"{job.created_at:%Y-%m-%d %H:%M} UTC",
            )
        )
        shown += stored
    if pictures:
        await show(answer, shown, rooms)
    return answer
