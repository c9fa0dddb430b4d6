"""One look: asking an upstream about a batch of jobs and writing down what it says."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, RateLimited, TransientError
from atelier_mcp.server.jobs.outcomes import Outcome, after_look
from atelier_mcp.server.jobs.schedule import backoff_s, duration_s
from atelier_mcp.server.providers.base import Done, Working

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.desk import Batch, Desk
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import JobId
    from atelier_mcp.server.providers.base import Snapshot

log = logging.getLogger(__name__)

_IN_STEP_SHARE: Final = 0.9
_ENOUGH_TO_JUDGE: Final = 4
_TOO_SOON: Final = 1.03
_FAR_BEYOND: Final = 1.5
"""Jobs older than this many times the usual say nothing of what is usual."""


class Looker:
    """Looks at jobs. A look that fails, in whatever way, says nothing of the jobs: they are looked at again later."""

    def __init__(self, ledger: Ledger, *, clock: Clock, random: Random) -> None:
        """Write to ``ledger``; ``random`` spreads the looks after a failure."""
        self._ledger = ledger
        self._clock = clock
        self._random = random

    async def look(self, desk: Desk, batch: Batch) -> None:
        """Ask about a batch once. Never raises but for cancellation."""
        try:
            snapshots = await desk.provider.look(batch.tasks)
            await self._write_down(desk, batch, snapshots)
        except Exception as error:  # noqa: BLE001  # also a defect in a provider must not end the other jobs
            self._put_off(desk, batch, error)
        else:
            desk.refusals = 0
            for tracked in batch.jobs:
                tracked.failures = 0

    async def _write_down(self, desk: Desk, batch: Batch, snapshots: Mapping[str, Snapshot]) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        outcomes: dict[JobId, Outcome] = {}
        for tracked, task in zip(batch.jobs, batch.tasks, strict=True):
            outcome = after_look(tracked.job, task, snapshots.get(task.id), now=now)
            if outcome is not None:
                outcomes[tracked.job.id] = outcome
        if outcomes:
            await self._ledger.move_all(
                {job_id: outcome.state for job_id, outcome in outcomes.items()},
                charges={job_id: outcome.charge for job_id, outcome in outcomes.items() if outcome.charge is not None},
            )
        await self._learn(desk, batch, snapshots, now_s=now_s)
        _adjust(desk, batch, snapshots, now_s=now_s)
        for tracked, task in zip(batch.jobs, batch.tasks, strict=True):
            snapshot = snapshots.get(task.id)
            tracked.looked_s = now_s
            tracked.again_s = snapshot.again_s if isinstance(snapshot, Working) else None

    async def _learn(self, desk: Desk, batch: Batch, snapshots: Mapping[str, Snapshot], *, now_s: float) -> None:
        durations_s: defaultdict[str, list[float]] = defaultdict(list)
        for tracked, task in zip(batch.jobs, batch.tasks, strict=True):
            unseen = tracked.taken_over and tracked.looked_s is None
            if isinstance(snapshots.get(task.id), Done) and not unseen:
                done_at_s = now_s - tracked.accepted_s
                durations_s[tracked.job.capability].append(
                    duration_s(not_done_at_s=tracked.looked_at_age_s, done_at_s=done_at_s)
                )
        for capability, seconds in durations_s.items():
            desk.typical_s[capability] = await self._ledger.learn(desk.account, capability, *seconds)

    def _put_off(self, desk: Desk, batch: Batch, error: Exception) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        facts = {"account": desk.account, "jobs": [tracked.job.id for tracked in batch.jobs]}
        if isinstance(error, AtelierError):
            log.warning("a look failed: %s", error.what, extra=facts)
        else:
            log.error("a look failed in an unforeseen way", exc_info=error, extra=facts)
        for tracked in batch.jobs:
            tracked.failures_past_deadline += now >= tracked.job.deadline
        hint_s = error.retry_after_s if isinstance(error, TransientError) else None
        if isinstance(error, RateLimited) or hint_s is not None:
            desk.refusals += 1
            desk.pace.close(now_s + backoff_s(desk.refusals, retry_after_s=hint_s, random=self._random))
            return
        failures = max(tracked.failures for tracked in batch.jobs) + 1
        pause_s = backoff_s(failures, retry_after_s=None, random=self._random)
        for tracked in batch.jobs:
            tracked.failures, tracked.not_before_s = failures, now_s + pause_s


def _adjust(desk: Desk, batch: Batch, snapshots: Mapping[str, Snapshot], *, now_s: float) -> None:
    """Take from one look whether looks come at the right time.

    When none of many due jobs is done, all jobs like them will be late as well: without waiting for the first to be
    done, the usual duration counts as longer, or a wave of jobs would use up the account's requests for nothing.
    """
    due = list(zip(batch.jobs, batch.tasks, strict=True))[: batch.due]
    done = sum(isinstance(snapshots.get(task.id), Done) for _, task in due)
    desk.in_step = done >= _IN_STEP_SHARE * len(due)
    if done or len(due) < _ENOUGH_TO_JUDGE:
        return
    for tracked, _ in due:
        age_s, typical_s = now_s - tracked.accepted_s, desk.typical_s.get(tracked.job.capability)
        if typical_s is not None and typical_s <= age_s < _FAR_BEYOND * typical_s:
            desk.typical_s[tracked.job.capability] = age_s * _TOO_SOON
