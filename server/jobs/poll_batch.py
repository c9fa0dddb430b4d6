"""What goes into a poll queue and comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.jobs.model import Saving, get_upstream_task

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.providers.base import UpstreamTask


@dataclass(slots=True, eq=False)
class PollEntry:
    """A job and what this process knows of its polls. Moments are of the monotonic clock."""

    job: Job
    accepted_at_s: float
    """When the upstream took it; before this process began, if need be."""
    deadline_s: float
    """When it is given up, unless the upstream has finished it."""
    was_taken_over: bool = False
    """It was under way before this process heard of it, so nobody saw how long it took."""
    polled_at_s: float | None = None
    """The last poll that found it undone."""
    poll_after_s: float | None = None
    """How long after that the upstream wants the next poll, where it said so."""
    failures: int = 0
    """Failed polls, or failed saves, in a row."""
    failures_past_deadline: int = 0
    lost_since_s: float | None = None
    """Since when every answer says that nothing more will come of it."""
    lost_count: int = 0
    """How many answers have said so."""
    not_before_s: float = float("-inf")
    """It is left alone until then."""

    @property
    def age_at_last_poll_s(self) -> float | None:
        """Its age at the last poll that found it undone."""
        return None if self.polled_at_s is None else self.polled_at_s - self.accepted_at_s

    @property
    def task(self) -> UpstreamTask:
        """What the upstream knows it as."""
        if (task := get_upstream_task(self.job.state)) is None:
            raise ValueError(f"job {self.job.id} has no task")
        return task

    @property
    def is_saving(self) -> bool:
        """True when the upstream is done with it."""
        return isinstance(self.job.state, Saving)


@dataclass(frozen=True, slots=True)
class PollBatch:
    """Jobs to be asked about in one request."""

    entries: tuple[PollEntry, ...]
    """The most urgent first."""
    tasks: tuple[UpstreamTask, ...]
    """Their tasks, in the same order; all of one kind."""
    due_count: int
    """How many of them are due; the rest came along because there was room."""


class Pause(NamedTuple):
    """Nothing is to be asked for so long, unless something changes."""

    wait_s: float


class Allowance(NamedTuple):
    """What the account's rate limit says of the next request, in numbers."""

    spread_wait_s: float
    """Seconds until it may leave when requests are spread out evenly."""
    burst_wait_s: float
    """Seconds until it may leave when only the limit itself counts."""
    remaining_count: int
    """Requests that may leave at once."""
    window_s: float
    """The time over which the limit counts."""


UNLIMITED: Final = Allowance(0.0, 0.0, 1_000_000, 1.0)
