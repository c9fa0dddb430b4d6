"""Several jobs in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from atelier.server.answers import Answer
from atelier.tools._results import JobResult, Shown, described, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier.server.jobs.model import Job
    from atelier.server.studio import Rooms


class JobsResult(Answer):
    """Jobs, each as its own tool would have answered."""

    jobs: list[JobResult] = Field(default_factory=list[JobResult])
    more: bool | None = None

    def text(self) -> str:
        """Each job's own text."""
        parts = [job.text() for job in self.jobs] or ["There are no such jobs."]
        if self.more:
            parts.append("There are more: raise offset.")
        return "\n".join(parts)


async def jobs_result(jobs: Sequence[Job], rooms: Rooms, *, pictures: bool) -> JobsResult:
    """The answer for several jobs; with ``pictures``, the first few are shown."""
    answer = JobsResult()
    shown: list[Shown] = []
    for job in jobs:
        result, stored = await described(job, rooms)
        answer.jobs.append(result)
        shown += stored
    if pictures:
        await show(answer, shown, rooms)
    return answer
