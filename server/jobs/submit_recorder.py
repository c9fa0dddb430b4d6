"""What the answer to a submit means, written down: the task to poll, the finished work, or what is known of the money.

answer          the job
------          -------
a task          queued; if it was cancelled meanwhile, the upstream is told now that its id is known
finished work   saving, though it was cancelled: it is made and paid for
given up        failed, and paid for where that is likely
refused         failed and paid back
lost            unconfirmed: never sent again; queued, and so asked about, where its id was our choice
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed
from atelier_mcp.server.jobs.model import Cancelled, Queued, Submitting, Unconfirmed
from atelier_mcp.server.jobs.outcomes import (
    Outcome,
    decide_after_done,
    decide_after_lost_sender,
    decide_after_refusal,
)
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.providers.base import TaskFailed, UpstreamTask
from atelier_mcp.server.providers.faults import raise_rejection_errors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId, State
    from atelier_mcp.server.providers.base import SubmitAnswer
    from atelier_mcp.server.providers.provider import Provider

log: logging.Logger = logging.getLogger(__name__)

_RECORD_TRIES: Final = 8
_MAY_BE_CANCELLED: Final = (Submitting, Cancelled, Unconfirmed)
_MAY_BE_GIVEN_UP: Final = (Submitting, Queued, Unconfirmed)
"""A process that was cut off for a while seems gone, and its submits are given up; then their answers come."""


class SubmitRecorder:
    """Writes down what came of submits."""

    def __init__(self, ledger: Ledger, *, clock: Clock, rng: Random) -> None:
        """``rng`` spreads the retries of writes that fail."""
        self._ledger = ledger
        self._clock = clock
        self._rng = rng

    @asynccontextmanager
    async def record_failure(self, job: Job) -> AsyncGenerator[None]:
        """Write down what an error of the submit inside means for the job; raises it in words for the caller."""
        try:
            with raise_rejection_errors():
                yield
        except SubmitUnconfirmed as error:
            await self._ledger.move(job.id, Unconfirmed())
            raise build_unconfirmed_error(job, error.message) from error
        except AtelierError as error:
            error.spent = Spent.NOTHING
            state, charge = decide_after_refusal(job, error)
            if isinstance((await self._ledger.move(job.id, state, charge=charge)).state, Cancelled):
                await self._confirm_cancel(job.id)
            raise
        except asyncio.CancelledError:  # the server is stopping: nobody will read the answer
            await self._ledger.move(job.id, decide_after_lost_sender(job).state)
            raise
        except Exception as error:  # it may have been paid for: never left as submitting
            log.exception("a submit failed in an unforeseen way", extra={"job": job.id, "provider": job.provider})
            await self._ledger.move(job.id, decide_after_lost_sender(job).state)
            raise build_unconfirmed_error(job, "The answer to the submit could not be understood.") from error

    async def record_answer(self, job: Job, provider: Provider, answer: SubmitAnswer) -> Job:
        """The job with the answer to its submit written down, though it may have been cancelled meanwhile."""
        if isinstance(answer, TaskFailed):
            return await self._record(job, decide_after_refusal(job, answer.reason))
        if not isinstance(answer, UpstreamTask):
            # The pictures are made and paid for: there is nothing left to stop, so a cancel comes too late.
            return await self._record(job, decide_after_done(job, None, answer), only_from=_MAY_BE_CANCELLED)
        ledger_job = await self._record(job, Outcome(Queued(answer)), only_from=_MAY_BE_GIVEN_UP)
        # Only now can the upstream be told, whoever cancelled it: this process or another one.
        if isinstance(ledger_job.state, Cancelled) and await stop_upstream(provider, answer, job_id=job.id):
            return await self._confirm_cancel(job.id)
        return ledger_job

    async def _confirm_cancel(self, job_id: JobId) -> Job:
        """Write down that a cancelled job does not go on at the upstream, so that it costs nothing."""
        return await self._ledger.move(job_id, Cancelled(upstream_stopped=True), charge=0, only_from=(Cancelled,))

    async def _record(self, job: Job, outcome: Outcome, *, only_from: tuple[type[State], ...] | None = None) -> Job:
        """Write the upstream's answer down, through a full disk or a locked ledger if need be."""
        tries = 1
        while True:
            try:
                return await self._ledger.move(job.id, outcome.state, charge=outcome.charge, only_from=only_from)
            except Exception:  # an accepted job is recorded however often it takes
                task = outcome.state.task if isinstance(outcome.state, Queued) else None
                log.critical(
                    "an accepted job could not be recorded", extra={"job": job.id, "task": task}, exc_info=True
                )
                if tries == _RECORD_TRIES:
                    raise
            await self._clock.sleep(compute_backoff_s(tries, retry_after_s=None, rng=self._rng))
            tries += 1


async def stop_upstream(provider: Provider, task: UpstreamTask, *, job_id: JobId) -> bool:
    """Ask the upstream to stop a task; False when it goes on, or when nobody knows. Never raises but for cancellation.

    A cancelled job stays cancelled either way: what the answer decides is whether it is still charged.
    """
    try:
        return await provider.cancel(task)
    except AtelierError as error:
        log.warning("the service did not stop a job: %s", error.message, extra={"job": job_id})
    except Exception:  # a defect in a provider must not undo a cancellation that is written down
        log.exception("stopping a job failed in an unforeseen way", extra={"job": job_id})
    return False


def build_unconfirmed_error(job: Job, what: str) -> SubmitUnconfirmed:
    """The error for a job that was sent and never answered."""
    if isinstance(decide_after_lost_sender(job).state, Queued):
        return SubmitUnconfirmed(f"{what} Job {job.id} is looked for by its id.", hint="Follow it with wait_for_jobs.")
    return SubmitUnconfirmed(
        f"{what} Job {job.id} stays unconfirmed and is not sent again.",
        hint="Ask again only if being charged twice is acceptable.",
    )
