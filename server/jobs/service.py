"""Jobs as the tools see them: start one, wait for some, look them up, give one up.

What was started goes on whether or not the caller stays: a submit belongs to the service, not to the call.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, Self

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.clock import happens_within
from atelier_mcp.server.jobs.model import Cancelled, Job, JobId, Saving, Submitting, task_of
from atelier_mcp.server.jobs.preparing import Prepared, prepare
from atelier_mcp.server.jobs.schedule import patience_s
from atelier_mcp.server.jobs.submitting import Started, Submission, Submitter, unconfirmed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.gallery import Gallery
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

log = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Submits under way may take this long when the service is left; then they are unconfirmed."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def ignore(_share: float | None, _word: str) -> None:
    """A ``Report`` nobody reads."""


class JobService:
    """Use it with ``async with``; leaving waits a while for submits under way."""

    def __init__(
        self,
        ledger: Ledger,
        router: Router,
        gallery: Gallery,
        poller: Poller,
        *,
        ownership: Ownership,
        clock: Clock,
        random: Random,
        budget: Budget | None = None,
    ) -> None:
        """``random`` draws job ids: give it a ``SystemRandom`` outside of tests."""
        self._ledger = ledger
        self._router = router
        self._gallery = gallery
        self._poller = poller
        self._ownership = ownership
        self._clock = clock
        self._random = random
        self._submitter = Submitter(
            ledger, process=ownership.process, budget=budget or Budget(), clock=clock, random=random
        )
        self._tasks = asyncio.TaskGroup()
        self._under_way: set[asyncio.Task[Started | Exception]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE_S)
        for task in self._under_way:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group

    async def start(
        self,
        request: Request,
        *,
        caller: str,
        provider: str | None = None,
        report: Report = ignore,
        wait_s: float | None = None,
    ) -> Started:
        """Begin a job, or join the unfinished one by which the same caller asked for the same.

        Returns when the upstream has answered, or after ``wait_s``: the job is then still ``submitting`` and goes on.
        Raises any ``AtelierError``. Before the job is written down a refusal leaves nothing behind; afterwards the
        job is failed and paid back, or ``unconfirmed`` where the answer was lost (``SubmitUnconfirmed``).
        """
        chosen = self._router.for_request(request, provider)
        prepared = await prepare(request, provider=chosen, gallery=self._gallery, now=self._clock.now())
        twin = await self._ledger.unfinished_twin(caller, prepared.fingerprint)
        if twin is not None:
            return Started(twin, joined=True)
        pictures = await prepared.deliver(self._gallery)
        submission = Submission(self._new_job(prepared, caller), prepared, pictures, report, asyncio.Future())
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

        ``on_change`` hears of every step in between. Raises ``JobNotFound`` before waiting.
        """
        await self._ledger.get(ids)
        with self._ledger.news.follow(ids) as following:
            jobs = {job.id: job for job in await self._ledger.get(ids)}
            self._poller.attend(ids)
            ends_s = self._clock.monotonic() + wait_s
            enough = all if until == "all" else any
            while jobs and not enough(job.finished for job in jobs.values()):
                left_s = ends_s - self._clock.monotonic()
                if left_s <= 0 or not await happens_within(self._clock, left_s, following.heard()):
                    break
                for job in following.take():
                    if _is_news(jobs[job.id], job):
                        jobs[job.id] = job
                        if on_change is not None:
                            on_change(job)
        return [jobs[job_id] for job_id in ids]

    async def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids as they stand, in order. Raises ``JobNotFound``."""
        return await self._ledger.get(ids)

    async def recent(
        self, *, states: Collection[str] | None = None, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], bool]:
        """Jobs, newest first, and whether there are more."""
        jobs = await self._ledger.recent(states=states, limit=limit + 1, offset=offset)
        return jobs[:limit], len(jobs) > limit

    async def expected_s(self, job: Job) -> float | None:
        """How long such jobs usually take at the upstream, where one was seen."""
        return await self._ledger.typical_s(job.account, job.capability)

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up; where the upstream can stop it, it does. A finished job is returned as it is."""
        (job,) = await self._ledger.get([job_id])
        if job.finished:
            return job
        stopped = await self._stop_upstream(job)
        return await self._ledger.move(job_id, Cancelled(stopped), charge=0 if stopped else None)

    async def _submit(self, submission: Submission, *, wait_s: float | None) -> Started:
        """Send a job in a task of the service, so that neither cancelling the call nor its end stops it."""
        self._ownership.announce()
        task = self._tasks.create_task(_outcome(self._submitter.submit(submission)), name=f"submit {submission.job.id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        if wait_s is None:
            await asyncio.wait({task})
        elif not await happens_within(self._clock, wait_s, asyncio.wait({task})):
            await asyncio.wait({task, submission.written}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            standing = submission.written.result()
            return Started(standing, joined=standing.id != submission.job.id)
        if task.cancelled():
            raise unconfirmed(submission.job, "The server stopped before the service answered.")
        outcome = task.result()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _stop_upstream(self, job: Job) -> bool:
        provider, task = self._router.by_account(job.account), task_of(job.state)
        if provider is None or task is None or isinstance(job.state, Saving):
            return False
        try:
            return await provider.cancel(task)
        except AtelierError as error:
            log.warning("the service did not stop a job: %s", error.what, extra={"job": job.id})
            return False

    def _new_job(self, prepared: Prepared, caller: str) -> Job:
        now = self._clock.now()
        capability = prepared.request.capability
        return Job(
            id=JobId("job_" + "".join(self._random.choices(_ID_LETTERS, k=16))),
            capability=capability,
            provider=prepared.provider.name,
            account=prepared.provider.account,
            caller=caller,
            request=prepared.request.document(),
            notes=prepared.notes,
            cost=prepared.request.cost(),
            created_at=now,
            updated_at=now,
            deadline=now + timedelta(seconds=patience_s(capability)),
            state=Submitting(),
        )


async def _outcome(work: Coroutine[object, object, Started]) -> Started | Exception:
    """What the work returns or raises: a task that raises would end every other submit with it."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001  # raised again where the call still waits
        return error


def _is_news(known: Job, heard: Job) -> bool:
    return heard != known and not known.finished and heard.updated_at >= known.updated_at
