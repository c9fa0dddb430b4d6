"""The jobs of one account that the upstream has, and which of them to ask about next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.jobs.model import Queued, Running, Saving, task_of
from atelier_mcp.server.jobs.pace import Pace
from atelier_mcp.server.jobs.schedule import CARRIED_BY_LOOKS, next_look_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.providers.base import Provider, UpstreamTask

MOST_LOOKS_AT_ONCE: Final = 8
LOOKS_PAST_DEADLINE: Final = 12
"""Failed looks after which a job past its deadline is given up; with back-off that is some ten minutes."""
NEVER: Final = float("inf")
_JUST_NOW_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Tracked:
    """A job and what this process knows of its looks. Moments are of the monotonic clock."""

    job: Job
    accepted_s: float
    """When the upstream took it; before this process began, if need be."""
    taken_over: bool = False
    """It was under way before this process heard of it, so nobody saw how long it took."""
    looked_s: float | None = None
    """The last look that found it undone."""
    again_s: float | None = None
    """How long after that the upstream wants the next look, where it said so."""
    failures: int = 0
    """Failed looks in a row."""
    failures_past_deadline: int = 0
    not_before_s: float = 0.0
    busy: bool = False
    """A look at it or the saving of its pictures is going on."""

    @property
    def looked_at_age_s(self) -> float | None:
        """Its age at the last look that found it undone."""
        return None if self.looked_s is None else self.looked_s - self.accepted_s


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs to be asked about in one request."""

    jobs: tuple[Tracked, ...]
    tasks: tuple[UpstreamTask, ...]
    due: int
    """How many of them are due; the rest came along because there was room."""
    full: bool
    """As many are due as one request can hold."""
    wave: int = 0
    """Full requests that the jobs due by the end of the pace's window would make."""
    fills_at_s: float = 0.0
    """When so many jobs will be due that the request is full."""


class Desk:
    """One account's unfinished jobs, kept in step with the ledger by the poller."""

    def __init__(self, provider: Provider, *, clock: Clock, followed: Callable[[JobId], bool]) -> None:
        """``followed`` tells whether somebody in this process waits for a job."""
        self.provider = provider
        self.pace = Pace(provider.polls_per_s)
        self.tracked: dict[JobId, Tracked] = {}
        self.typical_s: dict[str, float | None] = {}
        """By capability, as far as it was asked for."""
        self.attended_elsewhere: dict[JobId, datetime] = {}
        """Until when somebody in another process waits for a job."""
        self.owned = False
        self.looks = 0
        """Looks on their way."""
        self.in_step = False
        """The last look came when nearly all jobs it was meant for were done."""
        self.refusals = 0
        """Looks in a row that were turned away because there were too many."""
        self.refreshed_s = -NEVER
        self.bell = asyncio.Event()
        self.rests_until_s = -NEVER
        """The poller does nothing for this account before, unless the bell rings."""
        self._clock = clock
        self._followed = followed

    @property
    def account(self) -> str:
        """Whose jobs these are."""
        return self.provider.account

    def hear(self, job: Job) -> None:
        """Take note of how a job now stands; rings when that cannot wait."""
        tracked = self.tracked.get(job.id)
        if tracked is not None and job.updated_at >= tracked.job.updated_at:
            tracked.job = job
        if not isinstance(job.state, Queued | Running | Saving):
            self.tracked.pop(job.id, None)
            return
        if tracked is None:
            accepted_s = self._accepted_s(job)
            taken_over = self._clock.monotonic() - accepted_s > _JUST_NOW_S
            tracked = self.tracked[job.id] = Tracked(job, accepted_s, taken_over)
        self.ring_for(tracked)

    def ring_for(self, tracked: Tracked) -> None:
        """Wake the poller if it would come too late for this job."""
        urgent = isinstance(tracked.job.state, Saving) and not tracked.busy
        if urgent or tracked.job.capability not in self.typical_s or self.due_s(tracked) < self.rests_until_s:
            self.bell.set()

    def due_s(self, tracked: Tracked) -> float:
        """When to look at a job next."""
        if tracked.busy:
            return NEVER
        if isinstance(tracked.job.state, Saving):
            return tracked.not_before_s
        if tracked.again_s is not None and tracked.looked_s is not None:
            return max(tracked.not_before_s, tracked.looked_s + tracked.again_s)
        capability = tracked.job.capability
        age_s = next_look_s(
            tracked.looked_at_age_s or 0.0,
            typical_s=0.0 if capability in CARRIED_BY_LOOKS else self.typical_s.get(capability),
            attended=self._is_attended(tracked.job.id),
        )
        return max(tracked.not_before_s, tracked.accepted_s + age_s)

    def next_due_s(self) -> float:
        """When the first of the jobs is due."""
        return min(map(self.due_s, self.tracked.values()), default=NEVER)

    def unknown_capabilities(self) -> set[str]:
        """Capabilities of jobs here whose typical duration was not asked for."""
        return {tracked.job.capability for tracked in self.tracked.values()} - self.typical_s.keys()

    def savings(self, now_s: float) -> Iterator[Tracked]:
        """Jobs whose pictures wait to be fetched."""
        for tracked in self.tracked.values():
            if isinstance(tracked.job.state, Saving) and not tracked.busy and tracked.not_before_s <= now_s:
                yield tracked

    def hopeless(self) -> list[Job]:
        """Jobs past their deadline about which nothing can be learned.

        Looks are counted, not time: a laptop that wakes up long after the deadline tries as often as any other.
        """
        return [
            tracked.job for tracked in self.tracked.values() if tracked.failures_past_deadline >= LOOKS_PAST_DEADLINE
        ]

    def batch(self, now_s: float) -> Batch | None:
        """The jobs to ask about in the next request, if any is due.

        All are of one kind. After a failed look they go in smaller company, so that one task an upstream chokes on
        does not take the others with it. Room to spare is filled with jobs that are due next: they cost nothing.
        """
        lookable = [tracked for tracked in self.tracked.values() if _is_lookable(tracked, now_s)]
        by_due = sorted(((self.due_s(tracked), tracked) for tracked in lookable), key=lambda pair: pair[0])
        if not by_due or by_due[0][0] > now_s:
            return None
        first = by_due[0][1]
        kind = _task(first).kind
        size = max(1, self.provider.batch_size(kind) >> first.failures)
        company = [
            (due_s, tracked)
            for due_s, tracked in by_due
            if _task(tracked).kind == kind and tracked.failures == first.failures
        ]
        jobs = tuple(tracked for _, tracked in company[:size])
        fills_at_s = company[size - 1][0] if len(company) >= size else NEVER
        soon = sum(due_s <= now_s + self.pace.window_s for due_s, _ in company)
        return Batch(
            jobs,
            tuple(_task(tracked) for tracked in jobs),
            due=sum(due_s <= now_s for due_s, _ in company[:size]),
            full=size > 1 and fills_at_s <= now_s,
            wave=soon // size if size > 1 else 0,
            fills_at_s=fills_at_s,
        )

    def _is_attended(self, job_id: JobId) -> bool:
        until = self.attended_elsewhere.get(job_id)
        return self._followed(job_id) or (until is not None and until > self._clock.now())

    def _accepted_s(self, job: Job) -> float:
        accepted_at = job.updated_at if isinstance(job.state, Queued) else job.created_at
        return self._clock.monotonic() - max(0.0, (self._clock.now() - accepted_at).total_seconds())


def _is_lookable(tracked: Tracked, now_s: float) -> bool:
    return not tracked.busy and not isinstance(tracked.job.state, Saving) and tracked.not_before_s <= now_s


def _task(tracked: Tracked) -> UpstreamTask:
    task = task_of(tracked.job.state)
    if task is None:
        raise ValueError(f"job {tracked.job.id} has no task")
    return task
