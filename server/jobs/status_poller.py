"""One poll: asking an upstream about a batch of jobs and writing down what it says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.model import Queued, Running, Unconfirmed
from atelier_mcp.server.jobs.outcomes import Outcome, decide_after_poll, decide_after_trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import JobId
    from atelier_mcp.server.jobs.poll_queue import PollBatch, PollQueue
    from atelier_mcp.server.providers.base import TaskSnapshot
    from atelier_mcp.server.providers.provider import Provider

log: logging.Logger = logging.getLogger(__name__)


MIN_REPORTED_FAILURES: Final = 2
"""One poll that fails is nothing to tell anybody."""


class StatusPoller:
    """Polls jobs. A poll that fails, in whatever way, says nothing of the jobs: they are polled again later."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        """Write to ``ledger``."""
        self._ledger = ledger
        self._clock = clock

    async def poll(self, provider: Provider, queue: PollQueue, batch: PollBatch) -> None:
        """Ask about a batch once and hand it back to its queue. Never raises but for cancellation.

        The request has been counted on the provider's rate limit.
        """
        try:
            answer = await provider.poll(batch.tasks)
            now_s = self._clock.monotonic()
            snapshots = queue.judge_losses(batch, answer, now_s=now_s)
            # The ledger first, the queue second: a job that could not be written down must stay due.
            await self._record_outcomes(batch, snapshots, now_s=now_s)
            for capability, durations_s in queue.measure_durations_s(batch, snapshots, now_s=now_s).items():
                typical_s = await self._ledger.record_durations(provider.account, capability, *durations_s)
                queue.learn(capability, typical_s)
        except Exception as error:  # noqa: BLE001  # also a defect in a provider must not end the other jobs
            self._back_off(provider, queue, batch, error)
            await self._record_trouble(batch, error)
        else:
            queue.succeeded(batch, snapshots, now_s=now_s)

    async def _record_outcomes(self, batch: PollBatch, snapshots: Mapping[str, TaskSnapshot], *, now_s: float) -> None:
        outcomes: dict[JobId, Outcome] = {}
        for entry, task in zip(batch.entries, batch.tasks, strict=True):
            is_late = now_s >= entry.deadline_s
            outcome = decide_after_poll(entry.job, task, snapshots.get(task.id), is_late=is_late)
            # Most polls change nothing, and then nothing is written.
            if outcome is not None:
                outcomes[entry.job.id] = outcome
        for job_id in [job_id for job_id, outcome in outcomes.items() if isinstance(outcome.state, Unconfirmed)]:
            await self._ledger.move(job_id, outcomes.pop(job_id).state, only_from=(Queued, Running))
        if outcomes:
            await self._ledger.move_all(
                {job_id: outcome.state for job_id, outcome in outcomes.items()},
                charges={job_id: outcome.charge for job_id, outcome in outcomes.items() if outcome.charge is not None},
            )

    def _back_off(self, provider: Provider, queue: PollQueue, batch: PollBatch, error: Exception) -> None:
        log_fields = {"account": provider.account, "jobs": [entry.job.id for entry in batch.entries]}
        if isinstance(error, AtelierError):
            log.warning("a poll failed: %s", error.message, extra=log_fields)
        else:
            log.error("a poll failed in an unforeseen way", exc_info=error, extra=log_fields)
        now_s = self._clock.monotonic()
        if account_pause_s := queue.failed(batch, error, now_s=now_s):
            provider.poll_rate_limit.block(now_s + account_pause_s)

    async def _record_trouble(self, batch: PollBatch, error: Exception) -> None:
        """Write down why jobs cannot be followed, for whoever asks about them meanwhile."""
        if not isinstance(error, AtelierError):
            return
        outcomes = {
            entry.job.id: outcome
            for entry in batch.entries
            if entry.failures >= MIN_REPORTED_FAILURES and (outcome := decide_after_trouble(entry.job, error.message))
        }
        try:
            if outcomes:
                await self._ledger.move_all({job_id: outcome.state for job_id, outcome in outcomes.items()})
        except Exception:  # the jobs are polled on all the same
            log.exception("the trouble of a poll could not be written down")
