"""A request on its way to an upstream: prepared, written down, sent once, and its answer written down.

    prepare -> deliver -> write ahead -> send -> record the answer
    '---- nothing ----'   '------- the ledger knows -------------'
      is left behind        the job: its state says what is
      by a refusal          known of the money

What is sent is sent once, whatever happens: a lost answer leaves the job ``unconfirmed``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed
from atelier_mcp.server.jobs.model import Cancelled, Job, Queued, Submitting, Unconfirmed
from atelier_mcp.server.jobs.outcomes import Outcome, decide_after_done, decide_after_refusal
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.jobs.transparency import ask_for_png, list_transparency_notes
from atelier_mcp.server.providers.base import UpstreamTask

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from datetime import datetime
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.pipeline import AdmittedImage, ImagePipeline
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import JobId, State
    from atelier_mcp.server.providers.base import ProgressCallback, Provider, TaskSucceeded
    from atelier_mcp.server.requests.base import Request

log: logging.Logger = logging.getLogger(__name__)

_RECORD_TRIES: Final = 8
_MAY_BE_CANCELLED: Final = (Submitting, Cancelled)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that may be sent. Nothing is spent yet."""

    provider: Provider
    request: Request
    """The provider's choices filled in, pictures named by handle."""
    image_rules: Mapping[str, ImageRule]
    admitted_images: Mapping[str, AdmittedImage]
    notes: tuple[str, ...]
    """What was chosen or changed for the caller."""
    fingerprint: str
    """The same for whoever asks the same of the same account."""

    async def deliver(self, pipeline: ImagePipeline) -> Mapping[str, str]:
        """Each picture as the upstream will get it, by place: a link or base64."""
        return await pipeline.deliver(self.admitted_images, self.image_rules, local=self.provider.is_local)


async def prepare(request: Request, *, provider: Provider, pipeline: ImagePipeline, now: datetime) -> Submission:
    """Plan a request and check its pictures. Raises any ``AtelierError``; nothing was spent then."""
    opened_images = await pipeline.open(dict(request.list_image_references()))
    request = ask_for_png(request, opened_images)
    plan = await provider.plan(request, {place: image.header for place, image in opened_images.items()})
    final_request, notes = plan.request, plan.notes
    admitted_images = await pipeline.admit(opened_images, plan.image_rules, now=now)
    if admitted_images:
        handles = {place: image.handle for place, image in admitted_images.items()}
        final_request = final_request.replace_image_references(handles)
        notes += tuple(note for image in admitted_images.values() for note in image.notes)
        notes += list_transparency_notes(final_request, admitted_images)
    # Of the final request: the same picture by two names is the same picture.
    fingerprint = _compute_fingerprint(final_request, provider)
    return Submission(provider, final_request, plan.image_rules, admitted_images, notes, fingerprint)


@dataclass(frozen=True, slots=True)
class StartedJob:
    """The job to wait for, and whether it was under way already."""

    job: Job
    joined: bool


class SubmitResult:
    """What became of a submit, for whoever still waits for it; nobody has to."""

    def __init__(self) -> None:
        """Nothing is known yet. Make it inside the event loop."""
        self.recorded: asyncio.Future[Job] = asyncio.Future()
        """The job in the ledger, once there is one."""
        self.outcome: asyncio.Future[StartedJob] = asyncio.Future()
        """The job when the upstream has answered, or the error for the caller."""
        self.outcome.add_done_callback(lambda outcome: outcome.exception())  # read, though nobody may wait any more

    @contextmanager
    def catch_error(self) -> Generator[None]:
        """Make an error the outcome: raised in a task group, it would end every other submit."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again where the call still waits
            self.outcome.set_exception(error)


class Submitter:
    """Writes jobs down, sends them and writes down what came back."""

    def __init__(self, ledger: Ledger, *, process: str, budget: Budget, clock: Clock, rng: Random) -> None:
        """``process`` is who counts as sending."""
        self._ledger = ledger
        self._process = process
        self._budget = budget
        self._clock = clock
        self._rng = rng

    async def submit(
        self,
        job: Job,
        submission: Submission,
        images: Mapping[str, str],
        *,
        report: ProgressCallback,
        result: SubmitResult,
    ) -> None:
        """Send a job, or find that it is under way already. Never raises but for cancellation.

        ``images`` is what ``Submission.deliver`` gave. The outcome in ``result`` is ``SubmitUnconfirmed`` when nobody
        knows whether the upstream took the job, any other ``AtelierError`` when it was certainly refused.
        """
        with result.catch_error():
            # Before the POST and flushed: killed right after it, we must still know that something may have been paid
            # for. The unique claim in the same transaction makes one of two identical requests the sender.
            ledger_job = await self._ledger.open_job(
                job, fingerprint=submission.fingerprint, budget=self._budget, process=self._process
            )
            result.recorded.set_result(ledger_job)
            if ledger_job.id != job.id:
                result.outcome.set_result(StartedJob(ledger_job, joined=True))
                return
            async with self._record_failure(job):
                answer = await submission.provider.submit(submission.request, images, _guard_report(report))
            result.outcome.set_result(StartedJob(await self._record_answer(job, submission, answer), joined=False))

    @asynccontextmanager
    async def _record_failure(self, job: Job) -> AsyncGenerator[None]:
        """Write down what an error of the submit inside means for the job; raises it in words for the caller."""
        try:
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
            await self._ledger.move(job.id, Unconfirmed())
            raise
        except Exception as error:  # it may have been paid for: never left as submitting
            log.exception("a submit failed in an unforeseen way", extra={"job": job.id, "provider": job.provider})
            await self._ledger.move(job.id, Unconfirmed())
            raise build_unconfirmed_error(job, "The answer to the submit could not be understood.") from error

    async def _record_answer(self, job: Job, submission: Submission, answer: UpstreamTask | TaskSucceeded) -> Job:
        """The job with the answer to its submit written down, though it may have been cancelled meanwhile."""
        if not isinstance(answer, UpstreamTask):
            # The pictures are made and paid for: there is nothing left to stop, so a cancel comes too late.
            return await self._record(job, decide_after_done(job, None, answer), only_from=_MAY_BE_CANCELLED)
        ledger_job = await self._record(job, Outcome(Queued(answer)))
        # Only now can the upstream be told, whoever cancelled it: this process or another one.
        if isinstance(ledger_job.state, Cancelled) and await stop_upstream(submission.provider, answer, job_id=job.id):
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
    return SubmitUnconfirmed(
        f"{what} Job {job.id} stays unconfirmed and is not sent again.",
        hint="Ask again only if being charged twice is acceptable.",
    )


def _compute_fingerprint(request: Request, provider: Provider) -> str:
    identity = [request.capability, provider.account, request.to_document()]
    return sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _guard_report(report: ProgressCallback) -> ProgressCallback:
    """The same report, unable to break a submit: its reader may be gone."""

    def report_safely(share: float | None, word: str) -> None:
        try:
            report(share, word)
        except Exception:  # a reader who fails must not fail the job
            log.debug("nobody reads the progress of a submit", exc_info=True)

    return report_safely
