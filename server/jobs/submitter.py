"""A request on its way to an upstream: prepared, written down, sent once, and its answer written down.

    prepare -> deliver -> write ahead -> send -> record the answer
    '---- nothing ----'   '------- the ledger knows -------------'
      is left behind        the job: its state says what is
      by a refusal          known of the money

What is sent is sent once, whatever happens: a lost answer leaves the job ``unconfirmed``. What was begun goes on
whether or not the caller stays: a submit belongs to the ``Submitter``, not to the call.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from atelier_mcp.server.errors import ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import Job, JobId, Submitting, get_own_task
from atelier_mcp.server.jobs.running_calls import RunningCalls
from atelier_mcp.server.jobs.submission import Submission, prepare
from atelier_mcp.server.jobs.submit_recorder import SubmitRecorder, build_unconfirmed_error
from atelier_mcp.server.jobs.submit_result import StartedJob, SubmitResult
from atelier_mcp.server.providers.base import SubmitCall
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import JobOperation, NamedJobOperation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.running_calls import RunningCall
    from atelier_mcp.server.providers.base import ProgressCallback, SubmitAnswer, UpstreamTask
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

log: logging.Logger = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Submits under way may take this long when the submitter is left; then they are unconfirmed."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def ignore_report(_share: float | None, _word: str) -> None:
    """A ``ProgressCallback`` nobody reads."""


class Submitter:
    """Starts jobs. Use it with ``async with``; leaving waits a while for submits under way."""

    def __init__(
        self,
        ledger: Ledger,
        router: Router,
        pipeline: ImagePipeline,
        *,
        ownership: Ownership,
        clock: Clock,
        rng: Random,
        budget: Budget | None = None,
    ) -> None:
        """``rng`` draws job ids: give it a ``SystemRandom`` outside of tests."""
        self._ledger = ledger
        self._router = router
        self._pipeline = pipeline
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._budget = budget or Budget()
        self._recorder = SubmitRecorder(ledger, clock=clock, rng=rng)
        self.calls: RunningCalls = RunningCalls(ledger)
        """The submits under way, for whoever wants to stop one."""
        self._task_group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparations: dict[str, tuple[SubmitResult, asyncio.Task[None]]] = {}
        """By what was asked and by whom: requests whose pictures are on their way."""

    async def __aenter__(self) -> Self:
        await self._task_group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, preparation in self._preparations.values():  # nothing was sent, and nothing more shall be
            preparation.cancel()
        await self.calls.drop_unsent()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_S)
        for task in self._tasks:
            task.cancel()
        # without the error of the body, which is passed on as it is and not in a group
        await self._task_group.__aexit__(None, None, None)

    async def start(
        self,
        request: Request,
        *,
        caller: str,
        provider: str | None = None,
        report: ProgressCallback = ignore_report,
        wait_s: float | None = None,
    ) -> StartedJob:
        """Begin a job, or join the unfinished one by which the same caller asked for the same.

        Returns when the upstream has answered, or after ``wait_s``: the job is then still ``submitting`` and goes on.
        Raises any ``AtelierError``. Before the job is written down a refusal leaves nothing behind; afterwards the
        job is failed and paid back, or ``unconfirmed`` where the answer was lost (``SubmitUnconfirmed``).
        ``TransientError`` says that the pictures are still on their way after ``wait_s``: who asks for the same again
        waits for the same job.
        """
        # The same for the same words of the same caller, before anything is looked up.
        identity = json.dumps([caller, provider, request.capability, request.to_document()], sort_keys=True)
        is_joined = identity in self._preparations
        if not is_joined:
            self._begin(identity, request, caller=caller, provider=provider, report=report)
        result, preparation = self._preparations[identity]
        result.waiter_count += 1
        try:
            started = await result.wait(self._clock, wait_s=wait_s)
        except asyncio.CancelledError:
            # Nobody wants it any more, and nothing has been sent yet.
            if result.waiter_count == 1 and not result.is_prepared:
                self._forget(identity, result)  # at once: the next call for the same begins afresh
                preparation.cancel()
            raise
        finally:
            result.waiter_count -= 1
        return StartedJob(started.job, joined=True) if is_joined else started

    def _begin(
        self, identity: str, request: Request, *, caller: str, provider: str | None, report: ProgressCallback
    ) -> None:
        """Prepare a request beside the call, whose wait may end before its pictures are here."""
        result = SubmitResult()
        task = self._task_group.create_task(
            self._prepare(request, caller=caller, provider=provider, report=report, result=result), name="prepare"
        )
        self._preparations[identity] = (result, task)
        task.add_done_callback(partial(self._end_preparation, identity, result))

    async def _prepare(
        self, request: Request, *, caller: str, provider: str | None, report: ProgressCallback, result: SubmitResult
    ) -> None:
        """Get a request ready and send it, unless the same is under way. Never raises but for cancellation."""
        with result.catch_error():
            submission = await prepare(
                request,
                providers=self._router.find_candidates(request, provider),
                pipeline=self._pipeline.for_owner(caller),
                now=self._clock.now(),
            )
            duplicate = await self._ledger.find_unfinished_duplicate(caller, submission.fingerprint)
            if duplicate is not None:
                result.outcome.set_result(StartedJob(duplicate, joined=True))
                return
            submission = submission.choose_seed(self._rng)
            images = await submission.deliver(self._pipeline.for_owner(caller))
            job = await self._build_job(submission, caller)
            # Before this process' name is written down as the sender: another process would take the job for an orphan.
            self._ownership.announce()
            result.is_prepared = True
            # A task of its own, so that neither cancelling the call nor its end stops the submit.
            task = self._task_group.create_task(
                self._submit(job, submission, images, report=report, result=result), name=f"submit {job.id}"
            )
            self._tasks.add(task)
            task.add_done_callback(partial(self._end_submit, job, result))

    def _end_preparation(self, identity: str, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._forget(identity, result)
        if task.cancelled() and not result.outcome.done():
            result.outcome.set_exception(ProviderUnavailable("The server stopped before the job was sent."))

    def _forget(self, identity: str, result: SubmitResult) -> None:
        if identity in self._preparations and self._preparations[identity][0] is result:
            del self._preparations[identity]

    async def _submit(
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
            operation = submission.operation
            if not isinstance(operation, JobOperation):
                raise TypeError(f"{submission.provider.name} makes no job of {operation.request_type.capability}")
            # Before the POST and flushed: killed right after it, we must still know that something may have been paid
            # for. The unique claim in the same transaction makes one of two identical requests the sender.
            ledger_job = await self._ledger.open_job(
                job, fingerprint=submission.fingerprint, budget=self._budget, process=self._ownership.process
            )
            result.recorded.set_result(ledger_job)
            if ledger_job.id != job.id:
                result.outcome.set_result(StartedJob(ledger_job, joined=True))
                return
            with self.calls.add(job, operation) as call:
                try:
                    answered_job = await self._call(call, submission, images, report=report)
                except asyncio.CancelledError:
                    if call.ended_job is not None:
                        result.outcome.set_result(StartedJob(call.ended_job, joined=False))
                    raise
            result.outcome.set_result(StartedJob(answered_job, joined=False))

    async def _call(
        self,
        call: RunningCall,
        submission: Submission,
        images: Mapping[str, str],
        *,
        report: ProgressCallback,
    ) -> Job:
        """The job with what came of its call; raises as ``SubmitRecorder.record_failure`` does."""
        job_id = call.job.id

        def report_to_all(share: float | None, word: str) -> None:
            report(share, word)
            self.calls.report(job_id, share, word)

        async with self.calls.take_turn(call) as job:
            if job.is_finished:  # cancelled by another process, before its turn
                return job
            async with self._recorder.record_failure(job):
                with raise_rejection_errors():
                    submit_call = SubmitCall(job_id, _guard_report(report_to_all))
                    answer = await _send(call.operation, job, submission.sent_request, images, submit_call)
            async with call.answer_lock:
                return await self._recorder.record_answer(job, submission.provider, answer)

    def _end_submit(self, job: Job, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not result.outcome.done():
            error = build_unconfirmed_error(job, "The server stopped before the service answered.")
            result.outcome.set_exception(error)

    async def _build_job(self, submission: Submission, caller: str) -> Job:
        job_id = JobId("job_" + "".join(self._rng.choices(_ID_LETTERS, k=16)))
        task = await _name_task(submission, job_id)
        has_slots = isinstance(submission.operation, JobOperation) and submission.operation.call_slots is not None
        now = self._clock.now()
        capability = submission.request.capability
        operation = self._router.operations.find(submission.provider.name, capability)
        return Job(
            id=job_id,
            capability=capability,
            provider=submission.provider.name,
            account=submission.provider.account,
            caller=caller,
            request=submission.request.to_document(),
            notes=submission.notes,
            image_count=submission.image_count,
            created_at=now,
            updated_at=now,
            deadline=now + timedelta(seconds=operation.deadline_s),
            state=Submitting(is_waiting=has_slots, task=task),
            finish=submission.finish,
        )


async def _name_task(submission: Submission, job_id: JobId) -> UpstreamTask | None:
    """The task that the submit will make, where its upstream takes an id of ours."""
    operation = submission.operation
    if not isinstance(operation, NamedJobOperation):
        return None
    with raise_rejection_errors():
        return await operation.name_task(submission.sent_request, job_id)


async def _send(
    operation: JobOperation[Any], job: Job, request: Request, images: Mapping[str, str], call: SubmitCall
) -> SubmitAnswer:
    """The answer to the submit; where it was lost, the task of our own naming, which is polled then."""
    task = get_own_task(job)
    if task is None or not isinstance(operation, NamedJobOperation):
        return await operation.submit_job(request, images, call)
    try:
        # A rejection may stand for an answer that leaves it open, too.
        with raise_rejection_errors():
            return await operation.submit_as(task, request, images, call.report)
    except SubmitUnconfirmed as error:
        log.warning("a submit was not answered: %s", error.message, extra={"job": job.id, "provider": job.provider})
        return task


def _guard_report(report: ProgressCallback) -> ProgressCallback:
    """The same report, unable to break a submit: its reader may be gone."""

    def report_safely(share: float | None, word: str) -> None:
        try:
            report(share, word)
        except Exception:  # a reader who fails must not fail the job
            log.debug("nobody reads the progress of a submit", exc_info=True)

    return report_safely
