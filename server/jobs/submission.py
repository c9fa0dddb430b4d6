"""One submit, from the write-ahead to the recorded answer. Sent once, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed
from atelier_mcp.server.jobs.model import Job, Queued, Unconfirmed
from atelier_mcp.server.jobs.outcomes import Outcome, decide_after_done, decide_after_refusal
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.providers.base import UpstreamTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.preparation import PreparedRequest
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSucceeded

log = logging.getLogger(__name__)

_RECORD_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class StartedJob:
    """The job to wait for, and whether it was under way already."""

    job: Job
    joined: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """A job about to be written down and sent."""

    job: Job
    prepared_request: PreparedRequest
    images: Mapping[str, str]
    """As the upstream gets them, by place."""
    report: ProgressCallback
    ledger_job: asyncio.Future[Job]
    """The job in the ledger, once there is one."""


class Submitter:
    """Writes jobs down, sends them and writes down what came back."""

    def __init__(self, ledger: Ledger, *, process: str, budget: Budget, clock: Clock, rng: Random) -> None:
        """``process`` is who counts as sending."""
        self._ledger = ledger
        self._process = process
        self._budget = budget
        self._clock = clock
        self._rng = rng

    async def submit(self, submission: Submission) -> StartedJob:
        """Send a job, or find that it is under way already.

        Raises ``SubmitUnconfirmed`` when nobody knows whether the upstream took it, and any other ``AtelierError``
        when it was certainly refused.
        """
        job = submission.job
        current_job = await self._ledger.open_job(
            job, fingerprint=submission.prepared_request.fingerprint, budget=self._budget, process=self._process
        )
        submission.ledger_job.set_result(current_job)
        if current_job.id != job.id:
            return StartedJob(current_job, joined=True)
        answer = await self._send(submission)
        outcome = Outcome(Queued(answer)) if isinstance(answer, UpstreamTask) else decide_after_done(job, None, answer)
        return StartedJob(await self._record(job, outcome), joined=False)

    async def _send(self, submission: Submission) -> UpstreamTask | TaskSucceeded:
        job, prepared_request = submission.job, submission.prepared_request
        try:
            return await prepared_request.provider.submit(
                prepared_request.request, submission.images, _guard_report(submission.report)
            )
        except SubmitUnconfirmed as error:
            await self._ledger.move(job.id, Unconfirmed())
            raise build_unconfirmed_error(job, error.message) from error
        except AtelierError as error:
            error.spent = Spent.NOTHING
            state, charge = decide_after_refusal(job, error)
            await self._ledger.move(job.id, state, charge=charge)
            raise
        except asyncio.CancelledError:  # the server is stopping: nobody will read the answer
            await self._ledger.move(job.id, Unconfirmed())
            raise
        except Exception as error:  # it may have been paid for: never left as submitting
            log.exception("a submit failed in an unforeseen way", extra={"job": job.id, "provider": job.provider})
            await self._ledger.move(job.id, Unconfirmed())
            raise build_unconfirmed_error(job, "The answer to the submit could not be understood.") from error

    async def _record(self, job: Job, outcome: Outcome) -> Job:
        """Write the upstream's answer down, through a full disk or a locked ledger if need be."""
        tries = 1
        while True:
            try:
                return await self._ledger.move(job.id, outcome.state, charge=outcome.charge)
            except Exception:  # an accepted job is recorded however often it takes
                task = outcome.state.task if isinstance(outcome.state, Queued) else None
                log.critical(
                    "an accepted job could not be recorded", extra={"job": job.id, "task": task}, exc_info=True
                )
                if tries == _RECORD_TRIES:
                    raise
            await self._clock.sleep(compute_backoff_s(tries, retry_after_s=None, rng=self._rng))
            tries += 1


def build_unconfirmed_error(job: Job, what: str) -> SubmitUnconfirmed:
    """The error for a job that was sent and never answered."""
    return SubmitUnconfirmed(
        f"{what} Job {job.id} stays unconfirmed and is not sent again.",
        hint="Ask again only if being charged twice is acceptable.",
    )


def _guard_report(report: ProgressCallback) -> ProgressCallback:
    """The same report, unable to break a submit: its reader may be gone."""

    def report_safely(share: float | None, word: str) -> None:
        try:
            report(share, word)
        except Exception:  # a reader who fails must not fail the job
            log.debug("nobody reads the progress of a submit", exc_info=True)

    return report_safely
