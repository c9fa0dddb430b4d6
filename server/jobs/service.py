"""Jobs as the tools see them: start one, wait for some, look them up, give one up.

What was started goes on whether or not the caller stays: a submit belongs to the service, not to the call.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, Self

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import Cancelled, Job, JobId, Saving, Submitting, get_upstream_task
from atelier_mcp.server.jobs.preparation import PreparedRequest, prepare_request
from atelier_mcp.server.jobs.submission import StartedJob, Submission, Submitter, build_unconfirmed_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.image_pipeline import ImagePipelineProtocol
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

log = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Submits under way may take this long when the service is left; then they are unconfirmed."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def ignore_report(_share: float | None, _word: str) -> None:
    """A ``ProgressCallback`` nobody reads."""


class JobService:
    """Use it with ``async with``; leaving waits a while for submits under way."""

    def __init__(
        self,
        ledger: Ledger,
        router: Router,
        pipeline: ImagePipelineProtocol,
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
        self._submit_tasks: set[asyncio.Task[StartedJob | Exception]] = set()

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
        chosen_provider = self._router.choose_provider(request, provider)
        prepared_request = await prepare_request(
            request, provider=chosen_provider, pipeline=self._pipeline, now=self._clock.now()
        )
        duplicate = await self._ledger.find_unfinished_duplicate(caller, prepared_request.fingerprint)
        if duplicate is not None:
            return StartedJob(duplicate, joined=True)
        images = await prepared_request.deliver(self._pipeline)
        submission = Submission(
            self._build_job(prepared_request, caller), prepared_request, images, report, asyncio.Future()
        )
        return await self._submit(submission, wait_s=wait_s)

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
        with self._ledger.events.subscribe(ids) as subscription:
            jobs = {job.id: job for job in await self._ledger.get(ids)}
            self._poller.wake_for_waiters(ids)
            end_s = self._clock.monotonic() + wait_s
            is_enough = all if until == "all" else any
            while jobs and not is_enough(job.is_finished for job in jobs.values()):
                left_s = end_s - self._clock.monotonic()
                if left_s <= 0 or not await wait_with_timeout(self._clock, left_s, subscription.wait()):
                    break
                for job in subscription.drain():
                    if _is_newer(jobs[job.id], job):
                        jobs[job.id] = job
                        if on_change is not None:
                            on_change(job)
        return [jobs[job_id] for job_id in ids]

    async def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids as they stand, in order. Raises ``JobNotFound``."""
        return await self._ledger.get(ids)

    async def list_recent(
        self, *, states: Collection[str] | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], bool]:
        """Jobs, newest first, and whether there are more."""
        jobs = await self._ledger.list_recent(states=states, limit=limit + 1, offset=offset)
        return jobs[:limit], len(jobs) > limit

    async def expected_s(self, job: Job) -> float | None:
        """How long such jobs usually take at the upstream, where one was seen."""
        return await self._ledger.get_typical_s(job.account, job.capability)

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up; where the upstream can stop it, it does. A finished job is returned as it is."""
        (job,) = await self._ledger.get([job_id])
        if job.is_finished:
            return job
        was_stopped = await self._stop_upstream(job)
        return await self._ledger.move(job_id, Cancelled(was_stopped), charge=0 if was_stopped else None)

    async def _submit(self, submission: Submission, *, wait_s: float | None) -> StartedJob:
        """Send a job in a task of the service, so that neither cancelling the call nor its end stops it."""
        self._ownership.announce()
        task = self._tasks.create_task(
            _capture_outcome(self._submitter.submit(submission)), name=f"submit {submission.job.id}"
        )
        self._submit_tasks.add(task)
        task.add_done_callback(self._submit_tasks.discard)
        if wait_s is None:
            await asyncio.wait({task})
        elif not await wait_with_timeout(self._clock, wait_s, asyncio.wait({task})):
            await asyncio.wait({task, submission.ledger_job}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            current_job = submission.ledger_job.result()
            return StartedJob(current_job, joined=current_job.id != submission.job.id)
        if task.cancelled():
            raise build_unconfirmed_error(submission.job, "The server stopped before the service answered.")
        outcome = task.result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _stop_upstream(self, job: Job) -> bool:
        provider, task = self._router.find_by_account(job.account), get_upstream_task(job.state)
        if provider is None or task is None or isinstance(job.state, Saving):
            return False
        try:
            return await provider.cancel(task)
        except AtelierError as error:
            log.warning("the service did not stop a job: %s", error.message, extra={"job": job.id})
            return False

    def _build_job(self, prepared_request: PreparedRequest, caller: str) -> Job:
        now = self._clock.now()
        capability = prepared_request.request.capability
        operation = self._router.operations.find(prepared_request.provider.name, capability)
        return Job(
            id=JobId("job_" + "".join(self._rng.choices(_ID_LETTERS, k=16))),
            capability=capability,
            provider=prepared_request.provider.name,
            account=prepared_request.provider.account,
            caller=caller,
            request=prepared_request.request.to_document(),
            notes=prepared_request.notes,
            image_count=prepared_request.request.image_count(),
            created_at=now,
            updated_at=now,
            deadline=now + timedelta(seconds=operation.deadline_s),
            state=Submitting(),
        )


async def _capture_outcome(work: Coroutine[object, object, StartedJob]) -> StartedJob | Exception:
    """What the work returns or raises: a task that raises would end every other submit with it."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001  # raised again where the call still waits
        return error


def _is_newer(known: Job, update: Job) -> bool:
    return update != known and not known.is_finished and update.updated_at >= known.updated_at
