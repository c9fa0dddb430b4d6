"""The background loops that poll upstreams, in batches, and carry every accepted job to its end.

There is one loop for each account (``account_poller``), and one that watches the ledger: for waiters here whose jobs
another process polls, and for jobs whose process died while it sent them. Everything a loop needs is in the ledger: it
may be stopped at any line and resumed by any process.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.jobs.account_poller import IDLE_INTERVAL_S, WATCH_INTERVAL_S, AccountPoller
from atelier_mcp.server.jobs.image_saver import ImageSaver
from atelier_mcp.server.jobs.outcomes import decide_after_lost_sender
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.jobs.status_poller import StatusPoller
from atelier_mcp.server.providers.operation_index import OperationIndex

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.postgres_notifications import ChangedJobs
    from atelier_mcp.server.providers.provider import Provider

log: logging.Logger = logging.getLogger(__name__)

GRACE_S: Final = 5.0
"""What is in flight may take this long when the poller is stopped."""


class Poller:
    """Looks after the jobs of some accounts while inside ``async with``."""

    def __init__(
        self,
        ledger: Ledger,
        providers: Sequence[Provider],
        pipeline: ImagePipeline,
        *,
        ownership: Ownership,
        clock: Clock,
        rng: Random,
        operations: OperationIndex | None = None,
    ) -> None:
        """Jobs of accounts that no provider stands for are left alone.

        ``operations`` says of which jobs the first poll comes at once; without it, of none.
        """
        index = operations or OperationIndex()
        self._ledger = ledger
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        status_poller = StatusPoller(ledger, clock=clock)
        self._stop_event = asyncio.Event()
        image_saver = ImageSaver(ledger, pipeline, clock=clock, rng=rng, stop_event=self._stop_event)
        self._accounts: dict[str, AccountPoller] = {
            provider.account: AccountPoller(
                provider,
                ledger,
                status_poller=status_poller,
                image_saver=image_saver,
                ownership=ownership,
                clock=clock,
                rng=rng,
                start_work=self._start_work,
                polls_from_start=partial(index.polls_from_start, provider.name),
            )
            for provider in providers
        }
        self._event_listener: AbstractContextManager[None] = ledger.events.listen(self._handle_change)
        self._notifications: AbstractAsyncContextManager[None] = ledger.hear_others(self._handle_changes_elsewhere)
        self._changed_elsewhere: set[JobId] = set()
        """Jobs that are waited for here and were not yet read since another process wrote about them."""
        self._wake_event = asyncio.Event()
        self._orphaned_at_s: dict[JobId, float] = {}
        """When a submit was first seen whose process is gone."""
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._in_flight: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._event_listener.__enter__()
        await self._notifications.__aenter__()
        for account in self._accounts.values():
            self._start_loop(account.run(), name=f"poller of {account.account}")
        self._start_loop(self._run_watch_loop(), name="poller of other processes")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.wait(self._loops)
        await self._finish_in_flight()
        await self._tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group
        self._event_listener.__exit__(None, None, None)
        await self._notifications.__aexit__(None, None, None)
        # Last of all: whoever takes over must not poll beside what was still in flight here.
        for account in self._accounts:
            await self._ownership.release(account)

    def stop(self) -> None:
        """Begin nothing more; what is in flight is finished."""
        self._stop_event.set()
        self._wake_event.set()
        for account in self._accounts.values():
            account.stop()

    def wake_for_waiters(self, ids: Iterable[JobId]) -> None:
        """Somebody began to wait for these jobs (see ``JobEvents.subscribe``)."""
        self._wake_event.set()
        for job_id in ids:
            for account in self._accounts.values():
                account.note_waiter(job_id)

    def _handle_change(self, job: Job) -> None:
        if account := self._accounts.get(job.account):
            account.update(job)

    def _handle_changes_elsewhere(self, changed_jobs: ChangedJobs | None) -> None:
        """Read at once what another process wrote; everything, where that is not known."""
        for account in self._accounts.values():
            if changed_jobs is None or changed_jobs.account == account.account:
                account.refresh_soon()
        if changed_jobs is not None:
            self._changed_elsewhere |= self._ledger.events.list_subscribed() & set(changed_jobs.job_ids)
        if changed_jobs is None or self._changed_elsewhere:
            self._wake_event.set()

    def _start_loop(self, loop: Coroutine[object, object, None], *, name: str) -> None:
        self._loops.append(self._tasks.create_task(loop, name=name))

    def _start_work(self, work: Coroutine[object, object, None], name: str) -> None:
        task = self._tasks.create_task(work, name=name)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _finish_in_flight(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=GRACE_S)
        for task in self._in_flight:
            task.cancel()

    async def _run_watch_loop(self) -> None:
        failures = 0
        seen: dict[JobId, Job] = {}
        while not self._stop_event.is_set():
            self._wake_event.clear()
            try:
                seen = await self._watch_ledger(seen)
                failures = 0
                idle_s = WATCH_INTERVAL_S if seen else IDLE_INTERVAL_S
            except Exception:  # who waits must not wait for a dead loop
                failures += 1
                log.exception("the ledger could not be watched")
                idle_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
            await wait_with_timeout(self._clock, idle_s, self._wake_event.wait())

    async def _watch_ledger(self, seen: Mapping[JobId, Job]) -> dict[JobId, Job]:
        """Publish what became of jobs waited for here and moved on elsewhere; give up those of dead processes."""
        await self._give_up_orphans()
        owned_ids = {job_id for account in self._accounts.values() for job_id in account.list_owned_ids()}
        remote_ids = self._ledger.events.list_subscribed() - (owned_ids - self._changed_elsewhere)
        self._changed_elsewhere.clear()
        jobs = {job.id: job for job in await self._ledger.get(list(remote_ids))} if remote_ids else {}
        for job in jobs.values():
            if seen.get(job.id) != job:
                self._ledger.events.publish(job)
        return {job.id: job for job in jobs.values() if not job.is_finished}

    async def _give_up_orphans(self) -> None:
        """Give up submits of processes that are gone, once they have been gone long enough (``orphan_age_s``)."""
        submits = await self._ledger.list_submitting(self._accounts.keys())
        processes = {process for _, process in submits}
        is_alive_by_process = {process: await self._ownership.is_alive(process) for process in processes}
        now_s = self._clock.monotonic()
        # Since it was first seen here, and not since it was written: that would compare the clocks of two machines.
        self._orphaned_at_s = {
            job_id: self._orphaned_at_s.get(job_id, now_s)
            for job_id, process in submits
            if not is_alive_by_process[process]
        }
        age_s = self._ownership.orphan_age_s
        orphans = [job_id for job_id, seen_at_s in self._orphaned_at_s.items() if now_s - seen_at_s >= age_s]
        if orphans:
            log.warning("jobs were being sent by a process that is gone", extra={"jobs": orphans})
            outcomes = {job.id: decide_after_lost_sender(job) for job in await self._ledger.find(orphans)}
            await self._ledger.move_all(
                {job_id: outcome.state for job_id, outcome in outcomes.items()},
                charges={job_id: 0 for job_id, outcome in outcomes.items() if outcome.charge == 0},
            )
