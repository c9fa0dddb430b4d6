"""The jobs of one account that the upstream has, and which of them to ask about next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.jobs.model import Queued, Running, Saving, get_upstream_task
from atelier_mcp.server.jobs.schedule import compute_next_poll_age_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.providers.base import Provider, UpstreamTask

MAX_CONCURRENT_POLLS: Final = 8
MAX_FAILED_POLLS_PAST_DEADLINE: Final = 12
"""Failed polls after which a job past its deadline is given up; with back-off that is some ten minutes."""
NEVER: Final = float("inf")
_JUST_NOW_S: Final = 1.0


@dataclass(slots=True, eq=False)
class PollEntry:
    """A job and what this process knows of its polls. Moments are of the monotonic clock."""

    job: Job
    accepted_at_s: float
    """When the upstream took it; before this process began, if need be."""
    was_taken_over: bool = False
    """It was under way before this process heard of it, so nobody saw how long it took."""
    polled_at_s: float | None = None
    """The last poll that found it undone."""
    poll_after_s: float | None = None
    """How long after that the upstream wants the next poll, where it said so."""
    failures: int = 0
    """Failed polls in a row."""
    failures_past_deadline: int = 0
    not_before_s: float = 0.0
    is_busy: bool = False
    """A poll of it or the saving of its pictures is going on."""

    @property
    def age_at_last_poll_s(self) -> float | None:
        """Its age at the last poll that found it undone."""
        return None if self.polled_at_s is None else self.polled_at_s - self.accepted_at_s


@dataclass(frozen=True, slots=True)
class PollBatch:
    """Jobs to be asked about in one request."""

    entries: tuple[PollEntry, ...]
    tasks: tuple[UpstreamTask, ...]
    due_count: int
    """How many of them are due; the rest came along because there was room."""
    is_full: bool
    """As many are due as one request can hold."""
    upcoming_full_batches: int = 0
    """Full requests that the jobs due by the end of the rate limit's window would make."""
    full_at_s: float = 0.0
    """When so many jobs will be due that the request is full."""


class PollQueue:
    """One account's unfinished jobs, kept in step with the ledger by the poller."""

    def __init__(
        self,
        provider: Provider,
        *,
        clock: Clock,
        has_local_waiters: Callable[[JobId], bool],
        polls_from_start: Callable[[str], bool] = lambda _capability: False,
    ) -> None:
        """``has_local_waiters`` tells whether somebody in this process waits for a job.

        ``polls_from_start`` tells whether jobs of a capability go on only while they are polled.
        """
        self.provider = provider
        self.rate_limit = provider.poll_rate_limit
        self.entries: dict[JobId, PollEntry] = {}
        self.typical_s: dict[str, float | None] = {}
        """By capability, as far as it was asked for."""
        self.remote_waits_until: dict[JobId, datetime] = {}
        """Until when somebody in another process waits for a job."""
        self.is_owned = False
        self.polls_in_flight = 0
        """Polls on their way."""
        self.is_well_timed = False
        """The last poll came when nearly all jobs it was meant for were done."""
        self.refusals = 0
        """Polls in a row that were turned away because there were too many."""
        self.refreshed_at_s = -NEVER
        self.wake_event = asyncio.Event()
        self.idle_until_s = -NEVER
        """The poller does nothing for this account before, unless the wake event is set."""
        self._clock = clock
        self._has_local_waiters = has_local_waiters
        self._polls_from_start = polls_from_start

    @property
    def account(self) -> str:
        """Whose jobs these are."""
        return self.provider.account

    def update(self, job: Job) -> None:
        """Take note of how a job now stands; wakes the poller when that cannot wait."""
        entry = self.entries.get(job.id)
        if entry is not None and job.updated_at >= entry.job.updated_at:
            entry.job = job
        if not isinstance(job.state, Queued | Running | Saving):
            self.entries.pop(job.id, None)
            return
        if entry is None:
            accepted_at_s = self._compute_accepted_at_s(job)
            was_taken_over = self._clock.monotonic() - accepted_at_s > _JUST_NOW_S
            entry = self.entries[job.id] = PollEntry(job, accepted_at_s, was_taken_over)
        self.wake_if_urgent(entry)

    def wake_if_urgent(self, entry: PollEntry) -> None:
        """Wake the poller if it would come too late for this job."""
        is_urgent = isinstance(entry.job.state, Saving) and not entry.is_busy
        if is_urgent or entry.job.capability not in self.typical_s or self.compute_due_s(entry) < self.idle_until_s:
            self.wake_event.set()

    def compute_due_s(self, entry: PollEntry) -> float:
        """When to poll a job next."""
        if entry.is_busy:
            return NEVER
        if isinstance(entry.job.state, Saving):
            return entry.not_before_s
        if entry.poll_after_s is not None and entry.polled_at_s is not None:
            return max(entry.not_before_s, entry.polled_at_s + entry.poll_after_s)
        capability = entry.job.capability
        age_s = compute_next_poll_age_s(
            entry.age_at_last_poll_s or 0.0,
            typical_s=0.0 if self._polls_from_start(capability) else self.typical_s.get(capability),
            has_waiters=self._has_waiters(entry.job.id),
        )
        return max(entry.not_before_s, entry.accepted_at_s + age_s)

    def compute_next_due_s(self) -> float:
        """When the first of the jobs is due."""
        return min(map(self.compute_due_s, self.entries.values()), default=NEVER)

    def find_unknown_capabilities(self) -> set[str]:
        """Capabilities of jobs here whose typical duration was not asked for."""
        return {entry.job.capability for entry in self.entries.values()} - self.typical_s.keys()

    def iterate_saving(self, now_s: float) -> Iterator[PollEntry]:
        """Jobs whose pictures wait to be fetched."""
        for entry in self.entries.values():
            if isinstance(entry.job.state, Saving) and not entry.is_busy and entry.not_before_s <= now_s:
                yield entry

    def find_hopeless_jobs(self) -> list[Job]:
        """Jobs past their deadline about which nothing can be learned.

        Polls are counted, not time: a laptop that wakes up long after the deadline tries as often as any other.
        """
        return [
            entry.job
            for entry in self.entries.values()
            if entry.failures_past_deadline >= MAX_FAILED_POLLS_PAST_DEADLINE
        ]

    def next_batch(self, now_s: float) -> PollBatch | None:
        """The jobs to ask about in the next request, if any is due.

        All are of one kind. After a failed poll they go in smaller batches, so that one task an upstream chokes on
        does not take the others with it. Room to spare is filled with jobs that are due next: they cost nothing.
        """
        pollable = [entry for entry in self.entries.values() if _is_pollable(entry, now_s)]
        by_due = sorted(((self.compute_due_s(entry), entry) for entry in pollable), key=lambda pair: pair[0])
        if not by_due or by_due[0][0] > now_s:
            return None
        first_entry = by_due[0][1]
        kind = _get_upstream_task(first_entry).kind
        size = max(1, self.provider.batch_size(kind) >> first_entry.failures)
        candidates = [
            (due_s, entry)
            for due_s, entry in by_due
            if _get_upstream_task(entry).kind == kind and entry.failures == first_entry.failures
        ]
        entries = tuple(entry for _, entry in candidates[:size])
        full_at_s = candidates[size - 1][0] if len(candidates) >= size else NEVER
        soon_due_count = sum(due_s <= now_s + self.rate_limit.window_s for due_s, _ in candidates)
        return PollBatch(
            entries,
            tuple(_get_upstream_task(entry) for entry in entries),
            due_count=sum(due_s <= now_s for due_s, _ in candidates[:size]),
            is_full=size > 1 and full_at_s <= now_s,
            upcoming_full_batches=soon_due_count // size if size > 1 else 0,
            full_at_s=full_at_s,
        )

    def _has_waiters(self, job_id: JobId) -> bool:
        until = self.remote_waits_until.get(job_id)
        return self._has_local_waiters(job_id) or (until is not None and until > self._clock.now())

    def _compute_accepted_at_s(self, job: Job) -> float:
        accepted_at = job.updated_at if isinstance(job.state, Queued) else job.created_at
        return self._clock.monotonic() - max(0.0, (self._clock.now() - accepted_at).total_seconds())


def _is_pollable(entry: PollEntry, now_s: float) -> bool:
    return not entry.is_busy and not isinstance(entry.job.state, Saving) and entry.not_before_s <= now_s


def _get_upstream_task(entry: PollEntry) -> UpstreamTask:
    task = get_upstream_task(entry.job.state)
    if task is None:
        raise ValueError(f"job {entry.job.id} has no task")
    return task
