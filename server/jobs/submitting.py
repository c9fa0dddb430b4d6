"""One submit, from the write-ahead to the recorded answer. Sent once, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed
from atelier_mcp.server.jobs.model import Job, Queued, Unconfirmed
from atelier_mcp.server.jobs.outcomes import Outcome, after_done, after_refusal
from atelier_mcp.server.jobs.schedule import backoff_s
from atelier_mcp.server.providers.base import UpstreamTask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.preparing import Prepared
    from atelier_mcp.server.providers.base import Done, Report

log = logging.getLogger(__name__)

_RECORD_TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Started:
    """The job to wait for, and whether it was under way already."""

    job: Job
    joined: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """A job about to be written down and sent."""

    job: Job
    prepared: Prepared
    pictures: Mapping[str, str]
    """As the upstream gets them, by place."""
    report: Report
    written: asyncio.Future[Job]
    """The job in the ledger, once there is one."""


class Submitter:
    """Writes jobs down, sends them and writes down what came back."""

    def __init__(self, ledger: Ledger, *, process: str, budget: Budget, clock: Clock, random: Random) -> None:
        """``process`` is who counts as sending."""
        self._ledger = ledger
        self._process = process
        self._budget = budget
        self._clock = clock
        self._random = random

    async def submit(self, submission: Submission) -> Started:
        """Send a job, or find that it is under way already.

        Raises ``SubmitUnconfirmed`` when nobody knows whether the upstream took it, and any other ``AtelierError``
        when it was certainly refused.
        """
        job = submission.job
        standing = await self._ledger.open_job(
            job, fingerprint=submission.prepared.fingerprint, budget=self._budget, process=self._process
        )
        submission.written.set_result(standing)
        if standing.id != job.id:
            return Started(standing, joined=True)
        answer = await self._send(submission)
        outcome = Outcome(Queued(answer)) if isinstance(answer, UpstreamTask) else after_done(job, None, answer)
        return Started(await self._record(job, outcome), joined=False)

    async def _send(self, submission: Submission) -> UpstreamTask | Done:
        job, prepared = submission.job, submission.prepared
        try:
            return await prepared.provider.submit(prepared.request, submission.pictures, _harmless(submission.report))
        except SubmitUnconfirmed as error:
            await self._ledger.move(job.id, Unconfirmed())
            raise unconfirmed(job, error.what) from error
        except AtelierError as error:
            error.spent = Spent.NOTHING
            state, charge = after_refusal(job, error)
            await self._ledger.move(job.id, state, charge=charge)
            raise
        except asyncio.CancelledError:  # the server is stopping: nobody will read the answer
            await self._ledger.move(job.id, Unconfirmed())
            raise
        except Exception as error:  # it may have been paid for: never left as submitting
            log.exception("a submit failed in an unforeseen way", extra={"job": job.id, "provider": job.provider})
            await self._ledger.move(job.id, Unconfirmed())
            raise unconfirmed(job, "The answer to the submit could not be understood.") from error

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
            await self._clock.sleep(backoff_s(tries, retry_after_s=None, random=self._random))
            tries += 1


def unconfirmed(job: Job, what: str) -> SubmitUnconfirmed:
    """The error for a job that was sent and never answered."""
    return SubmitUnconfirmed(
        f"{what} Job {job.id} stays unconfirmed and is not sent again.",
        then="Ask again only if being charged twice is acceptable.",
    )


def _harmless(report: Report) -> Report:
    """The same report, unable to break a submit: its reader may be gone."""

    def reported(share: float | None, word: str) -> None:
        try:
            report(share, word)
        except Exception:  # a reader who fails must not fail the job
            log.debug("nobody reads the progress of a submit", exc_info=True)

    return reported
