"""Jobs as the tools see them: start one, wait for some, look them up, give one up.

What was started goes on whether or not the caller stays: a submit belongs to the service, not to the call.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Self

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import Cancelled, Job, JobId, Saving, Submitting, get_upstream_task
from atelier_mcp.server.jobs.submission import (
    StartedJob,
    Submission,
    SubmitResult,
    Submitter,
    build_unconfirmed_error,
    prepare,
    stop_upstream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

GRACE_S: Final = 10.0
"""Submits under way may take this long when the service is left; then they are unconfirmed."""
CANCEL_WAIT_S: Final = 5.0
"""How long a cancel waits for the answer to a submit, without which the upstream cannot be told."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def ignore_report(_share: float | None, _word: str) -> None:
    """A ``ProgressCallback`` nobody reads."""


class JobService:
    """Use it with ``async with``; leaving waits a while for submits under way."""

    def __init__(
        self,
        ledger: Ledger,
        router: Router,
        pipeline: ImagePipeline,
        poller: Poller,
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
        self._poller = poller
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._submitter = Submitter(ledger, process=ownership.process, budget=budget or Budget(), clock=clock, rng=rng)
        self._tasks = asyncio.TaskGroup()
        self._submit_tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._submit_tasks:
            await asyncio.wait(self._submit_tasks, timeout=GRACE_S)
        for task in self._submit_tasks:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group

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
        """
        submission = await prepare(
            request,
            provider=self._router.choose_provider(request, provider),
            pipeline=self._pipeline,
            now=self._clock.now(),
        )
        duplicate = await self._ledger.find_unfinished_duplicate(caller, submission.fingerprint)
        if duplicate is not None:
            return StartedJob(duplicate, joined=True)
        images = await submission.deliver(self._pipeline)
        job, result = self._build_job(submission, caller), SubmitResult()
        # Before this process' name is written down as the sender: another process would take the job for an orphan.
        self._ownership.announce()
        # A task of the service's own, so that neither cancelling the call nor its end stops the submit.
        task = self._tasks.create_task(
            self._submitter.submit(job, submission, images, report=report, result=result), name=f"submit {job.id}"
        )
        self._submit_tasks.add(task)
        task.add_done_callback(partial(self._end_submit, job, result))
        return await self._wait_for_outcome(result, wait_s=wait_s)

    async def wait(
        self,
        ids: Sequence[JobId],
        *,
        wait_s: float,
        until: Literal["all", "any"] = "all",
        on_change: Callable[[Job], None] | None = None,
    ) -> list[Job]:
        """The jobs as they stand when all (or any) of them are finished, or after ``wait_s``.

        ``on_change`` is called with every step in between. Raises ``JobNotFound`` before waiting.
        """
        await self._ledger.get(ids)
        is_enough = all if until == "all" else any
        return await self._follow(
            ids, lambda jobs: is_enough(job.is_finished for job in jobs), wait_s=wait_s, on_change=on_change
        )

    async def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids as they stand, in order. Raises ``JobNotFound``."""
        return await self._ledger.get(ids)

    async def list_recent(
        self, *, states: Collection[str] | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], bool]:
        """Jobs, newest first, and whether there are more."""
        jobs = await self._ledger.list_recent(states=states, limit=limit + 1, offset=offset)
        return jobs[:limit], len(jobs) > limit

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up; where the upstream can stop it, it does. A finished job is returned as it is.

        A job that is still being sent is waited for up to ``CANCEL_WAIT_S``, since the upstream can be told only when
        its answer is there; after that it is cancelled here, and the submitter tells the upstream when the answer
        comes. An answer that is the finished work itself wins over the cancel: it is paid for, so it is kept.
        """
        (job,) = await self._ledger.get([job_id])
        if isinstance(job.state, Submitting):
            job = await self._cancel_submit(job_id)
            if isinstance(job.state, Saving):
                return job
        if job.is_finished:
            return job
        was_stopped = await self._stop_upstream(job)
        return await self._ledger.move(job_id, Cancelled(was_stopped), charge=0 if was_stopped else None)

    async def _cancel_submit(self, job_id: JobId) -> Job:
        """The job once its submit is answered, or cancelled if that takes too long."""
        (job,) = await self._follow([job_id], _is_answered, wait_s=CANCEL_WAIT_S)
        if not isinstance(job.state, Submitting):
            return job
        # From submitting only: an answer that comes at this very moment must be seen here, or nobody would tell the
        # upstream. Either this move is first, and the submitter finds the job cancelled, or the submitter's is.
        return await self._ledger.move(job_id, Cancelled(upstream_stopped=False), only_from=(Submitting,))

    async def _stop_upstream(self, job: Job) -> bool:
        provider, task = self._router.find_by_account(job.account), get_upstream_task(job.state)
        if provider is None or task is None or isinstance(job.state, Saving):
            return False
        return await stop_upstream(provider, task, job_id=job.id)

    async def _follow(
        self,
        ids: Sequence[JobId],
        is_enough: Callable[[Iterable[Job]], bool],
        *,
        wait_s: float,
        on_change: Callable[[Job], None] | None = None,
    ) -> list[Job]:
        """The jobs as they stand when it ``is_enough``, or after ``wait_s``."""
        with self._ledger.events.subscribe(ids) as subscription:
            # Read after subscribing: a change in between would be missed the other way round.
            jobs = {job.id: job for job in await self._ledger.get(ids)}
            self._poller.wake_for_waiters(ids)
            end_s = self._clock.monotonic() + wait_s
            while jobs and not is_enough(jobs.values()):
                left_s = end_s - self._clock.monotonic()
                if left_s <= 0 or not await wait_with_timeout(self._clock, left_s, subscription.wait()):
                    break
                for job in subscription.drain():
                    if _is_newer(jobs[job.id], job):
                        jobs[job.id] = job
                        if on_change is not None:
                            on_change(job)
        return [jobs[job_id] for job_id in ids]

    async def _wait_for_outcome(self, result: SubmitResult, *, wait_s: float | None) -> StartedJob:
        # ``asyncio.wait`` leaves the futures alone when the caller is cancelled; awaiting one would cancel it.
        if wait_s is None:
            await asyncio.wait({result.outcome})
        elif not await wait_with_timeout(self._clock, wait_s, asyncio.wait({result.outcome})):
            await asyncio.wait({result.outcome, result.recorded}, return_when=asyncio.FIRST_COMPLETED)
        if result.outcome.done():
            return result.outcome.result()
        return StartedJob(result.recorded.result(), joined=False)

    def _end_submit(self, job: Job, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._submit_tasks.discard(task)
        if task.cancelled() and not result.outcome.done():
            error = build_unconfirmed_error(job, "The server stopped before the service answered.")
            result.outcome.set_exception(error)

    def _build_job(self, submission: Submission, caller: str) -> Job:
        now = self._clock.now()
        capability = submission.request.capability
        operation = self._router.operations.find(submission.provider.name, capability)
        return Job(
            id=JobId("job_" + "".join(self._rng.choices(_ID_LETTERS, k=16))),
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
            state=Submitting(),
            finish=submission.finish,
        )


def _is_answered(jobs: Iterable[Job]) -> bool:
    return not any(isinstance(job.state, Submitting) for job in jobs)


def _is_newer(known: Job, update: Job) -> bool:
    return update != known and not known.is_finished and update.updated_at >= known.updated_at
