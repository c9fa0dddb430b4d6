"""One poll: asking an upstream about a batch of jobs and writing down what it says."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, RateLimited, TransientError
from atelier_mcp.server.jobs.outcomes import Outcome, decide_after_poll
from atelier_mcp.server.jobs.schedule import compute_backoff_s, estimate_duration_s
from atelier_mcp.server.providers.base import TaskRunning, TaskSucceeded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import JobId
    from atelier_mcp.server.jobs.poll_queue import PollBatch, PollQueue
    from atelier_mcp.server.providers.base import TaskSnapshot

log = logging.getLogger(__name__)

_WELL_TIMED_SHARE: Final = 0.9
_MIN_DUE_JOBS: Final = 4
_TOO_EARLY_FACTOR: Final = 1.03
_OUTLIER_FACTOR: Final = 1.5
"""Jobs older than this many times the usual say nothing of what is usual."""


class StatusPoller:
    """Polls jobs. A poll that fails, in whatever way, says nothing of the jobs: they are polled again later."""

    def __init__(self, ledger: Ledger, *, clock: Clock, rng: Random) -> None:
        """Write to ``ledger``; ``rng`` spreads the polls after a failure."""
        self._ledger = ledger
        self._clock = clock
        self._rng = rng

    async def poll(self, queue: PollQueue, batch: PollBatch) -> None:
        """Ask about a batch once. Never raises but for cancellation."""
        try:
            snapshots = await queue.provider.poll(batch.tasks)
            await self._record_snapshots(queue, batch, snapshots)
        except Exception as error:  # noqa: BLE001  # also a defect in a provider must not end the other jobs
            self._back_off(queue, batch, error)
        else:
            queue.refusals = 0
            for entry in batch.entries:
                entry.failures = 0

    async def _record_snapshots(
        self, queue: PollQueue, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot]
    ) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        outcomes: dict[JobId, Outcome] = {}
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            outcome = decide_after_poll(entry.job, task, snapshots.get(task.id), now=now)
            if outcome is not None:
                outcomes[entry.job.id] = outcome
        if outcomes:
            await self._ledger.move_all(
                {job_id: outcome.state for job_id, outcome in outcomes.items()},
                charges={job_id: outcome.charge for job_id, outcome in outcomes.items() if outcome.charge is not None},
            )
        await self._record_durations(queue, batch, snapshots, now_s=now_s)
        _adjust_typical_durations(queue, batch, snapshots, now_s=now_s)
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            snapshot = snapshots.get(task.id)
            entry.polled_at_s = now_s
            entry.poll_after_s = snapshot.poll_after_s if isinstance(snapshot, TaskRunning) else None

    async def _record_durations(
        self, queue: PollQueue, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float
    ) -> None:
        durations_s: defaultdict[str, list[float]] = defaultdict(list)
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            is_unseen = entry.was_taken_over and entry.polled_at_s is None
            if isinstance(snapshots.get(task.id), TaskSucceeded) and not is_unseen:
                done_at_s = now_s - entry.accepted_at_s
                durations_s[entry.job.capability].append(
                    estimate_duration_s(not_done_at_s=entry.age_at_last_poll_s, done_at_s=done_at_s)
                )
        for capability, seconds in durations_s.items():
            queue.typical_s[capability] = await self._ledger.record_durations(queue.account, capability, *seconds)

    def _back_off(self, queue: PollQueue, batch: PollBatch, error: Exception) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        log_fields = {"account": queue.account, "jobs": [entry.job.id for entry in batch.entries]}
        if isinstance(error, AtelierError):
            log.warning("a look failed: %s", error.message, extra=log_fields)
        else:
            log.error("a look failed in an unforeseen way", exc_info=error, extra=log_fields)
        for tracked in batch.entries:
            tracked.failures_past_deadline += now >= tracked.job.deadline
        hint_s = error.retry_after_s if isinstance(error, TransientError) else None
        if isinstance(error, RateLimited) or hint_s is not None:
            queue.refusals += 1
            queue.rate_limit.block(now_s + compute_backoff_s(queue.refusals, retry_after_s=hint_s, rng=self._rng))
            return
        failures = max(entry.failures for entry in batch.entries) + 1
        pause_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
        for tracked in batch.entries:
            tracked.failures, tracked.not_before_s = failures, now_s + pause_s


def _adjust_typical_durations(
    queue: PollQueue, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float
) -> None:
    """Take from one poll whether polls come at the right time.

    When none of many due jobs is done, all jobs like them will be late as well: without waiting for the first to be
    done, the usual duration counts as longer, or a wave of jobs would use up the account's requests for nothing.
    """
    due_entries = list(zip(batch.entries, batch.tasks, strict=True))[: batch.due_count]
    done_count = sum(isinstance(snapshots.get(task.id), TaskSucceeded) for _, task in due_entries)
    queue.is_well_timed = done_count >= _WELL_TIMED_SHARE * len(due_entries)
    if done_count or len(due_entries) < _MIN_DUE_JOBS:
        return
    for entry, _ in due_entries:
        age_s, typical_s = now_s - entry.accepted_at_s, queue.typical_s.get(entry.job.capability)
        if typical_s is not None and typical_s <= age_s < _OUTLIER_FACTOR * typical_s:
            queue.typical_s[entry.job.capability] = age_s * _TOO_EARLY_FACTOR
