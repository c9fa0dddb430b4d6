"""Submits under way in this process, so that a call which is itself the job can be stopped.

written down -> waits for its turn -> sent ----------> answered
                stopped here: never   stopped where
                sent, costs nothing   the service can
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.model import Cancelled, Submitting, get_own_task
from atelier_mcp.server.jobs.outcomes import decide_after_lost_sender

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from atelier_mcp.server.jobs.job_events import JobEvents
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.operation import JobOperation

log: logging.Logger = logging.getLogger(__name__)


class RunningCall:
    """One submit, from the moment it is written down until its answer is."""

    def __init__(
        self,
        job: Job,
        operation: JobOperation[Any],
        *,
        task: asyncio.Task[Any],
        events: JobEvents,
        report: ProgressCallback,
    ) -> None:
        """``task`` is the one that sends ``job``; ``events`` and ``report`` are told how far it is."""
        self.job = job
        self.task = task
        self.operation = operation
        self._events = events
        self._report = report
        self.is_sent = False
        self.ended_job: Job | None = None
        """The job as it ended without an answer: cancelled, or never sent."""
        self.answer_lock: asyncio.Lock = asyncio.Lock()
        """Held while the answer is written down, or the service is asked to stop: the other one comes second."""

    def report(self, share: float | None, word: str) -> None:
        """Tell who waits for the job how far its call is. Never raises: a reader who is gone must not fail it."""
        try:
            self._report(share, word)
            self._events.publish_step(self.job, Submitting(progress=share, note=word))
        except Exception:  # whatever a reader raises
            log.debug("nobody reads the progress of a submit", exc_info=True)

    async def stop(self) -> bool:
        """Ask the service to stop; False when it goes on, or when nobody knows."""
        try:
            return await self.operation.stop_call(self.job.id)
        except AtelierError as error:
            log.warning("the service did not stop a call: %s", error.message, extra={"job": self.job.id})
        except Exception:  # a defect in a provider must not keep a caller from cancelling
            log.exception("stopping a call failed in an unforeseen way", extra={"job": self.job.id})
        return False


class RunningCalls:
    """The submits of one process."""

    def __init__(self, ledger: Ledger) -> None:
        """None yet."""
        self._ledger = ledger
        self._calls: dict[JobId, RunningCall] = {}

    @contextmanager
    def add(self, job: Job, operation: JobOperation[Any], report: ProgressCallback) -> Generator[RunningCall]:
        """A submit that the task of the context is about to send, while the context lasts."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for the type checker
        events = self._ledger.events
        call = self._calls[job.id] = RunningCall(job, operation, task=task, events=events, report=report)
        try:
            yield call
        finally:
            del self._calls[job.id]

    async def cancel(self, job_id: JobId) -> Job | None:
        """The job, cancelled and its call stopped; None when the call goes on, or is not of this process.

        An answer that was written down in the meantime stays.
        """
        if (call := self._calls.get(job_id)) is None:
            return None
        async with call.answer_lock:
            if call.is_sent and not await call.stop():
                return None
            call.ended_job = await self._ledger.move(
                job_id, Cancelled(upstream_stopped=True), charge=0, only_from=(Submitting,)
            )
            call.task.cancel()
        return call.ended_job

    async def drop_unsent(self) -> None:
        """End the calls that still wait for their turn: the server is stopping."""
        for call in [call for call in self._calls.values() if not call.is_sent]:
            state, charge = decide_after_lost_sender(call.job)
            call.ended_job = await self._ledger.move(call.job.id, state, charge=charge, only_from=(Submitting,))
            call.task.cancel()

    @asynccontextmanager
    async def take_turn(self, call: RunningCall) -> AsyncGenerator[Job]:
        """The job as it stands when its call may be sent; it must not be where it was cancelled meanwhile."""
        if call.operation.call_slots is None:
            call.is_sent = True
            yield call.job
            return
        async with call.operation.call_slots:
            call.is_sent = True
            sending = Submitting(task=get_own_task(call.job))
            call.job = await self._ledger.move(call.job.id, sending, only_from=(Submitting,))
            yield call.job
