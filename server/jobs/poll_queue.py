"""When to poll which jobs of one account: a pure structure, without clocks, upstreams or tasks of its own.

Moments are handed in as seconds of a monotonic clock, and requests leave elsewhere; see ``account_poller``.

                 update                next_batch              succeeded, failed
    (no entry) ---------> idle entry ------------> busy entry -------------------> idle entry
                              |     <------------                                     |
                              |       end_save, postpone_save                         |
                              +------------------> busy entry (its job is ``saving``)
                                    take_saves

``update`` with a finished job and ``remove`` take an entry out at any time, also in the middle of a batch.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import RateLimited, TransientError
from atelier_mcp.server.jobs.model import Queued, Running, Saving
from atelier_mcp.server.jobs.poll_batch import UNLIMITED, Allowance, Pause, PollBatch, PollEntry
from atelier_mcp.server.jobs.schedule import (
    adjust_typical_s,
    compute_backoff_s,
    compute_next_poll_age_s,
    estimate_duration_s,
)
from atelier_mcp.server.providers.base import TaskFailed, TaskLost, TaskRunning, TaskSucceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, KeysView, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.providers.base import TaskSnapshot

MAX_CONCURRENT_POLLS: Final = 8
MAX_FAILED_POLLS_PAST_DEADLINE: Final = 12
"""Failed polls after which a job past its deadline is given up; with back-off that is some ten minutes."""
MIN_WATCH_S: Final = 60.0
"""A job taken up past its deadline is watched for so long all the same: the first look must not end a good one."""
LOSS_TIME_S: Final = 120.0
MIN_LOSSES: Final = 3
"""A task is given up as lost when every answer has said so for this long, and at least so often."""
NEVER: Final = float("inf")
_JUST_NOW_S: Final = 1.0
_WELL_TIMED_SHARE: Final = 0.9
_MIN_DUE_JOBS: Final = 4
"""Fewer due jobs that are not done say nothing of when such jobs are done."""


class PollQueue:
    """One account's unfinished jobs. Every job in it becomes due sooner or later, and is in one batch at most."""

    def __init__(
        self,
        *,
        batch_size: Callable[[str], int],
        rng: Random,
        polls_from_start: Callable[[str], bool] = lambda _capability: False,
    ) -> None:
        """``batch_size`` tells how many tasks of a kind one request covers; ``rng`` spreads what failed.

        ``polls_from_start`` tells for which capabilities the first poll comes at once.
        """
        self._polls_from_start = polls_from_start
        self._batch_size = batch_size
        self._rng = rng
        self._entries: dict[JobId, PollEntry] = {}
        # By id and not in the entries: a job that is removed and comes back while its batch is on its way must not
        # get into a second one.
        self._busy: set[JobId] = set()
        self._awaited: set[JobId] = set()
        self._typical_s: dict[str, float | None] = {}
        self._polls_in_flight = 0
        self._is_well_timed = False
        """The last poll came when nearly all jobs it was meant for were done."""
        self._refusals = 0
        """Polls in a row that were turned away because there were too many."""

    # What is in it.

    @property
    def ids(self) -> KeysView[JobId]:
        """The jobs in it."""
        return self._entries.keys()

    def find(self, job_id: JobId) -> Job | None:
        """A job as it was last updated; None when it is finished or was never here."""
        entry = self._entries.get(job_id)
        return None if entry is None else entry.job

    def update(self, job: Job, *, now_s: float, now: datetime) -> None:
        """Take note of how a job now stands. News that are older than what is known change nothing."""
        entry = self._entries.get(job.id)
        # Also ``submitting``: there is no task to poll until its answer comes.
        if not isinstance(job.state, Queued | Running | Saving):
            self._entries.pop(job.id, None)
        elif entry is None:
            # A queued job was last written when its answer came; later states were written by polls, so that only the
            # beginning is left, a little too early.
            is_untouched = isinstance(job.state, Queued) and not job.state.problem
            accepted_at = job.updated_at if is_untouched else job.created_at
            age_s = max(0.0, (now - accepted_at).total_seconds())
            self._entries[job.id] = PollEntry(
                job, now_s - age_s, compute_deadline_s(job, now_s=now_s, now=now), was_taken_over=age_s > _JUST_NOW_S
            )
        elif job.updated_at >= entry.job.updated_at:
            entry.job = job

    def remove(self, ids: Iterable[JobId]) -> None:
        """Forget jobs."""
        for job_id in ids:
            self._entries.pop(job_id, None)

    def set_awaited(self, ids: Iterable[JobId]) -> None:
        """Say which jobs somebody waits for: these, and no others."""
        self._awaited = set(ids)

    def add_awaited(self, job_id: JobId) -> None:
        """Say that somebody began to wait for a job."""
        self._awaited.add(job_id)

    # What such jobs take.

    def find_unknown_capabilities(self) -> set[str]:
        """Capabilities of jobs here of which ``learn`` never heard."""
        return {entry.job.capability for entry in self._entries.values()} - self._typical_s.keys()

    def learn(self, capability: str, typical_s: float | None) -> None:
        """Take ``typical_s`` for how long such jobs take from now on; None when nobody ever saw one."""
        self._typical_s[capability] = typical_s

    def measure_durations_s(
        self, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float
    ) -> dict[str, list[float]]:
        """How long the jobs took that a poll just found done, by capability.

        A job taken over from another process and done at the first poll may have been done for hours: it is left out.
        """
        durations_s: defaultdict[str, list[float]] = defaultdict(list)
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            is_unseen = entry.was_taken_over and entry.polled_at_s is None
            if isinstance(snapshots.get(task.id), TaskSucceeded) and not is_unseen:
                duration_s = estimate_duration_s(
                    not_done_at_s=entry.age_at_last_poll_s, done_at_s=now_s - entry.accepted_at_s
                )
                durations_s[entry.job.capability].append(duration_s)
        return durations_s

    # What is due.

    def is_urgent(self, job_id: JobId, *, next_turn_s: float) -> bool:
        """True when waiting until ``next_turn_s`` would be too late for a job."""
        entry = self._entries.get(job_id)
        if entry is None or job_id in self._busy:
            return False
        is_new = entry.job.capability not in self._typical_s
        return entry.is_saving or is_new or self._compute_due_s(entry) < next_turn_s

    def next_batch(self, now_s: float, allowance: Allowance = UNLIMITED) -> PollBatch | Pause:
        """The jobs to ask about in one request now, or how long there is nothing to ask.

        The jobs of a batch are busy until it is handed to ``succeeded`` or ``failed``. All are of one kind. After a
        failed poll they go in smaller batches, so that one task an upstream chokes on does not take the others with
        it. Room to spare is filled with jobs that are due next: they cost nothing.
        """
        if self._polls_in_flight >= MAX_CONCURRENT_POLLS:
            # A poll that ends wakes the loop, which then asks again.
            return Pause(NEVER)
        candidates = self._rank_candidates(now_s)
        if not candidates or candidates[0][0] > now_s:
            return Pause(max(0.0, self._compute_next_due_s() - now_s))
        first_entry = candidates[0][1]
        # Halved with each failure: after six, the task that breaks the batch of fifty is alone.
        size = max(1, self._batch_size(first_entry.task.kind) >> first_entry.failures)
        if wait_s := self._compute_wait_s([due_s for due_s, _ in candidates], size, now_s, allowance):
            return Pause(wait_s)
        return self._take(candidates[:size], now_s)

    def take_saves(self, now_s: float) -> list[Job]:
        """Jobs whose pictures are to be fetched now; they are busy until ``end_save`` or ``postpone_save``."""
        jobs = [
            entry.job
            for job_id, entry in self._entries.items()
            if entry.is_saving and job_id not in self._busy and entry.not_before_s <= now_s
        ]
        self._busy.update(job.id for job in jobs)
        return jobs

    def find_hopeless_jobs(self) -> list[Job]:
        """Jobs past their deadline about which nothing can be learned."""
        return [
            entry.job
            for entry in self._entries.values()
            if entry.failures_past_deadline >= MAX_FAILED_POLLS_PAST_DEADLINE
        ]

    # What came of it.

    def succeeded(self, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float) -> None:
        """Take note of the answer to a poll; ``snapshots`` may leave tasks out."""
        self._release(batch)
        self._refusals = 0
        self._judge_timing(batch, snapshots, now_s=now_s)
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            snapshot = snapshots.get(task.id)
            entry.failures = 0
            entry.polled_at_s = now_s
            entry.poll_after_s = snapshot.poll_after_s if isinstance(snapshot, TaskRunning) else None

    def judge_losses(
        self, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float
    ) -> Mapping[str, TaskSnapshot]:
        """The answer to a poll, in which a task that has been said to be lost for long enough has failed.

        Long enough, because right after a submit a service may not know its own task yet, and because a gateway that
        sends requests astray gets answers in the service's own words.
        """
        judged = dict(snapshots)
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            match snapshots.get(task.id):
                case TaskLost(reason):
                    entry.lost_since_s = now_s if entry.lost_since_s is None else entry.lost_since_s
                    entry.lost_count += 1
                    is_certain = entry.lost_count >= MIN_LOSSES and now_s - entry.lost_since_s >= LOSS_TIME_S
                    if is_certain or now_s >= entry.deadline_s:
                        judged[task.id] = TaskFailed(reason)
                case None:
                    pass
                case _:
                    entry.lost_since_s, entry.lost_count = None, 0
        return judged

    def failed(self, batch: PollBatch, error: Exception, *, now_s: float) -> float:
        """Take note of a poll that failed, which says nothing of its jobs.

        Returns how long the whole account must be left alone, in seconds: above 0 where the upstream turned the poll
        away for coming too often or named a time. Otherwise these jobs alone are left alone, longer each time.
        """
        self._release(batch)
        # Polls past the deadline are counted, not minutes: a laptop that wakes up long after the deadline, its network
        # not there yet, tries as often as any other.
        for entry in batch.entries:
            entry.failures_past_deadline += now_s >= entry.deadline_s
        hint_s = error.retry_after_s if isinstance(error, TransientError) else None
        if isinstance(error, RateLimited) or hint_s is not None:
            self._refusals += 1
            return compute_backoff_s(self._refusals, retry_after_s=hint_s, rng=self._rng)
        failures = max(entry.failures for entry in batch.entries) + 1
        pause_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
        for entry in batch.entries:
            entry.failures, entry.not_before_s = failures, now_s + pause_s
        return 0.0

    def end_save(self, job_id: JobId) -> None:
        """The pictures of a job from ``take_saves`` are stored, or given up."""
        self._busy.discard(job_id)

    def postpone_save(self, job_id: JobId, *, now_s: float) -> None:
        """Saving a job from ``take_saves`` failed for no fault of its pictures; it is taken again later."""
        self._busy.discard(job_id)
        if entry := self._entries.get(job_id):
            entry.failures += 1
            entry.not_before_s = now_s + compute_backoff_s(entry.failures, retry_after_s=None, rng=self._rng)

    def _rank_candidates(self, now_s: float) -> list[tuple[float, PollEntry]]:
        """What may be polled now together with the most urgent job, by when it is due."""
        pollable = [
            (self._compute_due_s(entry), entry)
            # Nothing that is busy: it is in a batch already, or its images are being fetched.
            for job_id, entry in self._entries.items()
            if job_id not in self._busy and not entry.is_saving and entry.not_before_s <= now_s
        ]
        pollable.sort(key=lambda pair: pair[0])
        if not pollable:
            return []
        first_entry = pollable[0][1]
        kind = first_entry.task.kind
        return [
            (due_s, entry)
            for due_s, entry in pollable
            if entry.task.kind == kind and entry.failures == first_entry.failures
        ]

    def _compute_wait_s(self, dues_s: Sequence[float], size: int, now_s: float, allowance: Allowance) -> float:
        """How long a batch of ``size`` waits, though its first job is due, for the rate limit or for a fuller batch."""
        full_at_s = dues_s[size - 1] if len(dues_s) >= size else NEVER
        is_full = size > 1 and full_at_s <= now_s
        # In the middle of a wave the last poll found its jobs done, so the next full batch will most likely, too:
        # it is worth a request ahead of its turn.
        is_wave = is_full and self._is_well_timed and not self._polls_in_flight
        wait_s = allowance.burst_wait_s if is_wave else allowance.spread_wait_s
        if wait_s or is_full:
            return wait_s
        # A batch that is not full is held back when every request left will be needed for full ones.
        soon_due_count = sum(due_s <= now_s + allowance.window_s for due_s in dues_s)
        upcoming_full_batches = soon_due_count // size if size > 1 else 0
        return 0.0 if allowance.remaining_count > upcoming_full_batches else max(0.0, full_at_s - now_s)

    def _take(self, ranked: Sequence[tuple[float, PollEntry]], now_s: float) -> PollBatch:
        entries = tuple(entry for _, entry in ranked)
        self._busy.update(entry.job.id for entry in entries)
        self._polls_in_flight += 1
        due_count = sum(due_s <= now_s for due_s, _ in ranked)
        return PollBatch(entries, tuple(entry.task for entry in entries), due_count)

    def _release(self, batch: PollBatch) -> None:
        self._busy.difference_update(entry.job.id for entry in batch.entries)
        self._polls_in_flight -= 1

    def _compute_due_s(self, entry: PollEntry) -> float:
        if entry.is_saving:
            return entry.not_before_s
        if entry.poll_after_s is not None and entry.polled_at_s is not None:
            return max(entry.not_before_s, entry.polled_at_s + entry.poll_after_s)
        capability = entry.job.capability
        age_s = compute_next_poll_age_s(
            entry.age_at_last_poll_s or 0.0,
            typical_s=0.0 if self._polls_from_start(capability) else self._typical_s.get(capability),
            has_waiters=entry.job.id in self._awaited,
        )
        return max(entry.not_before_s, entry.accepted_at_s + age_s)

    def _compute_next_due_s(self) -> float:
        idle = (entry for job_id, entry in self._entries.items() if job_id not in self._busy)
        return min(map(self._compute_due_s, idle), default=NEVER)

    def _judge_timing(self, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float) -> None:
        """Take from one poll whether polls come at the right time.

        When none of many due jobs is done, all jobs like them will be late as well: without waiting for the first to
        be done, the usual duration counts as longer, or a wave of jobs would use up the account's requests for
        nothing.
        """
        due_pairs = list(zip(batch.entries, batch.tasks, strict=True))[: batch.due_count]
        done_count = sum(isinstance(snapshots.get(task.id), TaskSucceeded) for _, task in due_pairs)
        self._is_well_timed = done_count >= _WELL_TIMED_SHARE * len(due_pairs)
        if done_count or len(due_pairs) < _MIN_DUE_JOBS:
            return
        for entry, _ in due_pairs:
            if (typical_s := self._typical_s.get(entry.job.capability)) is not None:
                age_s = now_s - entry.accepted_at_s
                self._typical_s[entry.job.capability] = adjust_typical_s(typical_s, undone_at_s=age_s)


def compute_deadline_s(job: Job, *, now_s: float, now: datetime) -> float:
    """A job's deadline on the monotonic clock, whose time does not leap.

    The time of day is looked at only here, when the job is taken up. It may have leapt meanwhile, so that what it says
    is kept within the time the job was given.
    """
    whole_s = (job.deadline - job.created_at).total_seconds()
    remaining_s = (job.deadline - now).total_seconds()
    return now_s + min(max(remaining_s, MIN_WATCH_S), whole_s)
