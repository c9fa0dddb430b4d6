"""Jobs as the tools see them: wait for some, look them up, give one up. ``submission`` starts them."""

from __future__ import annotations

import asyncio
import copy
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.jobs.ledger import ANY_JOB
from atelier_mcp.server.jobs.model import (
    UNFINISHED_STATE_NAMES,
    Cancelled,
    Job,
    JobFilter,
    JobId,
    Saving,
    Submitting,
    get_upstream_task,
)
from atelier_mcp.server.jobs.submit_recorder import stop_upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.jobs.running_calls import RunningCalls
    from atelier_mcp.server.jobs.spending import CallerSpending
    from atelier_mcp.server.jobs.timing import JobTiming
    from atelier_mcp.server.providers.routing import Router

log: logging.Logger = logging.getLogger(__name__)

MAX_UNFINISHED: Final = 10_000
UNFINISHED: Final = JobFilter(states=UNFINISHED_STATE_NAMES)
CANCEL_WAIT_S: Final = 5.0
"""How long a cancel waits for the answer to a submit, without which the upstream cannot be told."""


class JobService:
    """The jobs of one ledger: all of them, or those of one caller, to which the others do not exist."""

    def __init__(self, ledger: Ledger, router: Router, poller: Poller, *, calls: RunningCalls, clock: Clock) -> None:
        """``router`` and ``calls`` find whom to tell of a cancel; ``poller`` is woken for whoever waits."""
        self._ledger = ledger
        self._router = router
        self._poller = poller
        self._calls = calls
        self._clock = clock
        self.owner: str | None = None
        """Whose jobs there are here; None for everybody's."""
        self._stop_event = asyncio.Event()

    def for_owner(self, owner: str) -> JobService:
        """The jobs of one caller: the ids of others are as unknown as any."""
        # What was answered and whether the server stops is shared.
        own = copy.copy(self)
        own.owner = owner
        return own

    def end_waits(self) -> None:
        """Let calls that wait answer with the jobs as they stand, now and from now on: the server is about to stop."""
        self._stop_event.set()
        self._ledger.events.wake_all()

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
        is_enough = all if until == "all" else any
        return await self._follow(
            ids, lambda jobs: is_enough(job.is_finished for job in jobs), wait_s=wait_s, on_change=on_change
        )

    async def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids as they stand, in order. Raises ``JobNotFound``."""
        return await self._ledger.get(ids, caller=self.owner)

    async def find(self, ids: Sequence[JobId]) -> list[Job]:
        """Those jobs of these ids that there are, in order, each once."""
        return await self._ledger.find(ids, caller=self.owner)

    async def list_recent(
        self, job_filter: JobFilter = ANY_JOB, *, limit: int = 20, offset: int = 0
    ) -> tuple[list[Job], bool]:
        """Jobs, newest first, and whether there are more."""
        jobs = await self._ledger.list_recent(self._restrict(job_filter), limit=limit + 1, offset=offset)
        return jobs[:limit], len(jobs) > limit

    async def list_unfinished(self, *, limit: int | None = None, caller: str | None = None) -> list[Job]:
        """The oldest ``limit`` jobs with something still to happen, oldest first; of everybody, or of ``caller``."""
        job_filter = self._restrict(replace(UNFINISHED, caller=caller))
        jobs = await self._ledger.list_recent(job_filter, limit=MAX_UNFINISHED)
        return jobs[::-1][:limit]

    def _restrict(self, job_filter: JobFilter) -> JobFilter:
        return job_filter if self.owner is None else replace(job_filter, caller=self.owner)

    async def note_answer(self, caller: str, jobs: Sequence[Job]) -> None:
        """Remember which jobs a caller was told of as unfinished, and forget those it was told the end of."""
        await self._ledger.note_answer(caller, jobs)

    async def list_awaited(self, caller: str, *, limit: int) -> list[Job]:
        """What a caller may wait for without naming it: unfinished jobs, and those that ended since it heard of them.

        The oldest ``limit`` of them.
        """
        unanswered = self._ledger.answers.list_unanswered(caller)
        ended_meanwhile = [job for job in await self.find(unanswered) if job.is_finished]
        return [*ended_meanwhile, *await self.list_unfinished(caller=caller)][:limit]

    async def measure(self, jobs: Sequence[Job]) -> Mapping[JobId, JobTiming]:
        """The times of those of the jobs that are unfinished."""
        unfinished_jobs = [job for job in jobs if not job.is_finished]
        return await self._ledger.measure(unfinished_jobs) if unfinished_jobs else {}

    async def attend(self, jobs: Sequence[Job], *, for_s: float) -> None:
        """Have the unfinished ones polled for so long as if somebody waited: their caller asks again by then.

        Where that cannot be written down, as on a full disk, they are polled less often.
        """
        if unfinished_ids := [job.id for job in jobs if not job.is_finished]:
            try:
                await self._ledger.record_waiters(unfinished_ids, until=self._clock.now() + timedelta(seconds=for_s))
            except Exception:  # the answer about a job does not depend on it
                log.warning("that jobs are asked about could not be written down", exc_info=True)

    async def list_spending_by_caller(self, since_day: str) -> list[CallerSpending]:
        """Pictures and money by UTC day (``2026-11-20``), caller and account since a day, oldest first."""
        return await self._ledger.list_spending_by_caller(since_day, caller=self.owner)

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up; where the upstream can stop it, it does. A finished job is returned as it is.

        A call that waits for its turn, or that the upstream stops, ends at once. Any other job that is still being sent
        is waited for up to ``CANCEL_WAIT_S``, since the upstream can be told only when its answer is there; after that
        it is cancelled here, and the submitter tells the upstream when the answer comes. An answer that is the finished
        work itself wins over the cancel: it is paid for, so it is kept.
        """
        (job,) = await self.get([job_id])
        if isinstance(job.state, Submitting):
            job = await self._calls.cancel(job_id) or await self._cancel_submit(job_id)
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
        """The jobs as they stand when it ``is_enough``, or after ``wait_s``. Raises ``JobNotFound`` before waiting."""
        with self._ledger.events.subscribe(ids) as subscription:
            # Read after subscribing: a change in between would be missed the other way round.
            jobs = {job.id: job for job in await self.get(ids)}
            self._poller.wake_for_waiters(ids)
            end_s = self._clock.monotonic() + wait_s
            while jobs and not is_enough(jobs.values()) and not self._stop_event.is_set():
                left_s = end_s - self._clock.monotonic()
                if left_s <= 0 or not await wait_with_timeout(self._clock, left_s, subscription.wait()):
                    break
                for job in subscription.drain():
                    if _is_newer(jobs[job.id], job):
                        jobs[job.id] = job
                        if on_change is not None:
                            on_change(job)
        return [jobs[job_id] for job_id in ids]


def _is_answered(jobs: Iterable[Job]) -> bool:
    return not any(isinstance(job.state, Submitting) for job in jobs)


def _is_newer(known: Job, update: Job) -> bool:
    return update != known and not known.is_finished and update.updated_at >= known.updated_at
