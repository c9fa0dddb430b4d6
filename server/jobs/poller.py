"""The background loops that poll upstreams, in batches, and carry every accepted job to its end.

Each account is looked after by one process at a time, which keeps a poll queue of its jobs. The others watch the
ledger. Everything a loop needs is in the ledger: it may be stopped at any line and resumed by any process.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.jobs.image_saver import ImageSaver
from atelier_mcp.server.jobs.model import Unconfirmed
from atelier_mcp.server.jobs.outcomes import decide_after_deadline
from atelier_mcp.server.jobs.poll_queue import MAX_CONCURRENT_POLLS, PollQueue
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.jobs.status_poller import StatusPoller
from atelier_mcp.server.providers.operation_index import OperationIndex

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.image_pipeline import ImagePipelineProtocol
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.poll_queue import PollBatch, PollEntry
    from atelier_mcp.server.providers.base import Provider

log = logging.getLogger(__name__)

WATCH_INTERVAL_S: Final = 0.25
"""How often the ledger is read while somebody here waits for a job that another process looks after."""
STANDBY_INTERVAL_S: Final = 2.0
"""The same while nobody here waits for it."""
OWNER_INTERVAL_S: Final = 1.0
"""How often whoever looks after an account reads what the others began and gave up."""
IDLE_INTERVAL_S: Final = 5.0
"""How often the ledger is read while nothing is unfinished."""
WAITERS_NOTE_TTL_S: Final = 60.0
"""How long a note that somebody waits holds; it is renewed at half that time."""
GRACE_S: Final = 5.0
"""What is in flight may take this long when the poller is stopped."""


EMULATOR_TYPICAL_S: Final = 0.3
"""The built-in emulator draws on this machine: its tasks take well under a second."""


class Poller:
    """Looks after the jobs of some accounts while inside ``async with``."""

    def __init__(
        self,
        ledger: Ledger,
        providers: Sequence[Provider],
        pipeline: ImagePipelineProtocol,
        *,
        ownership: Ownership,
        clock: Clock,
        rng: Random,
        operations: OperationIndex | None = None,
    ) -> None:
        """Jobs of accounts that no provider stands for are left alone.

        ``operations`` says which jobs go on only while they are polled; without it, none do.
        """
        index = operations or OperationIndex()
        self._ledger = ledger
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._status_poller = StatusPoller(ledger, clock=clock, rng=rng)
        self._image_saver = ImageSaver(ledger, pipeline, clock=clock, rng=rng)
        events = ledger.events
        self._queues: dict[str, PollQueue] = {
            provider.account: PollQueue(
                provider,
                clock=clock,
                has_local_waiters=events.is_subscribed,
                polls_from_start=partial(index.polls_from_start, provider.name),
            )
            for provider in providers
        }
        self._event_listener: AbstractContextManager[None] = events.listen(self._handle_change)
        self._wake_event = asyncio.Event()
        self._stop_event = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._in_flight: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._event_listener.__enter__()
        for queue in self._queues.values():
            self._start_loop(self._run_account_loop(queue), name=f"poller of {queue.account}")
        self._start_loop(self._run_watch_loop(), name="poller of other processes")
        return self

    def _start_loop(self, loop: Coroutine[object, object, None], *, name: str) -> None:
        self._loops.append(self._tasks.create_task(loop, name=name))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.wait(self._loops)
        await self._finish_in_flight()
        await self._tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group
        self._event_listener.__exit__(None, None, None)
        for queue in self._queues.values():
            self._ownership.release(queue.account)

    def stop(self) -> None:
        """Begin nothing more; what is in flight is finished."""
        self._stop_event.set()
        self._wake_event.set()
        for queue in self._queues.values():
            queue.wake_event.set()

    def wake_for_waiters(self, ids: Iterable[JobId]) -> None:
        """Somebody began to wait for these jobs (see ``JobEvents.follow``)."""
        self._wake_event.set()
        for job_id in ids:
            for queue in self._queues.values():
                if entry := queue.entries.get(job_id):
                    queue.wake_if_urgent(entry)

    def _handle_change(self, job: Job) -> None:
        if queue := self._queues.get(job.account):
            queue.update(job)

    async def _finish_in_flight(self) -> None:
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=GRACE_S)
        for task in self._in_flight:
            task.cancel()

    # The two kinds of loop.

    async def _run_account_loop(self, queue: PollQueue) -> None:
        failures = 0
        while not self._stop_event.is_set():
            queue.wake_event.clear()
            queue.idle_until_s = float("-inf")
            try:
                idle_s = await self._start_due_work(queue)
                failures = 0
            except Exception:  # whatever it was, the loop must not die and leave jobs alone
                failures += 1
                log.exception("the poller stumbled", extra={"account": queue.account})
                idle_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
            queue.idle_until_s = self._clock.monotonic() + idle_s
            await wait_with_timeout(self._clock, idle_s, queue.wake_event.wait())

    async def _run_watch_loop(self) -> None:
        failures = 0
        seen: dict[JobId, Job] = {}
        while not self._stop_event.is_set():
            self._wake_event.clear()
            try:
                seen = await self._watch_ledger(seen)
                failures = 0
                idle_s = WATCH_INTERVAL_S if seen else IDLE_INTERVAL_S
            except Exception:  # as above: who waits must not wait for a dead loop
                failures += 1
                log.exception("the ledger could not be watched")
                idle_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
            await wait_with_timeout(self._clock, idle_s, self._wake_event.wait())

    async def _watch_ledger(self, seen: Mapping[JobId, Job]) -> dict[JobId, Job]:
        """Publish what became of jobs waited for here and moved on elsewhere; give up those of dead processes."""
        await self._give_up_orphans()
        owned_ids = {job_id for queue in self._queues.values() if queue.is_owned for job_id in queue.entries}
        remote_ids = self._ledger.events.list_subscribed() - owned_ids
        jobs = {job.id: job for job in await self._ledger.get(list(remote_ids))} if remote_ids else {}
        for job in jobs.values():
            if seen.get(job.id) != job:
                self._ledger.events.publish(job)
        return {job.id: job for job in jobs.values() if not job.is_finished}

    async def _give_up_orphans(self) -> None:
        submits = await self._ledger.list_submitting(self._queues.keys())
        is_alive_by_process = {
            process: self._ownership.is_alive(process) for process in {process for _, process in submits}
        }
        orphans = [job_id for job_id, process in submits if not is_alive_by_process[process]]
        if orphans:
            log.warning("jobs were being sent by a process that is gone", extra={"jobs": orphans})
            await self._ledger.move_all(dict.fromkeys(orphans, Unconfirmed()))

    # One turn at a poll queue.

    async def _start_due_work(self, queue: PollQueue) -> float:
        """Begin everything that is due for an account; returns how long there is nothing to begin."""
        await self._refresh(queue)
        if not queue.entries:
            queue.is_owned = False
            self._ownership.release(queue.account)
            return IDLE_INTERVAL_S
        if not queue.is_owned and not await self._take_over(queue):
            return await self._announce_waiters(queue)
        for capability in queue.find_unknown_capabilities():
            known_s = await self._ledger.get_typical_s(queue.account, capability)
            queue.typical_s[capability] = EMULATOR_TYPICAL_S if queue.provider.is_emulated else known_s
        await self._give_up_hopeless(queue)
        for entry in list(queue.iterate_saving(self._clock.monotonic())):
            self._start_work(self._save(queue, entry), name=f"saving {entry.job.id}", entries=(entry,))
        return min(self._start_polls(queue), OWNER_INTERVAL_S)

    async def _refresh(self, queue: PollQueue) -> None:
        """Bring the poll queue in step with what other processes wrote."""
        now_s = self._clock.monotonic()
        if now_s - queue.refreshed_at_s < (OWNER_INTERVAL_S if queue.is_owned else WATCH_INTERVAL_S):
            return
        queue.refreshed_at_s = now_s
        known_ids = set(queue.entries)
        waits = await self._ledger.load_live_waits(queue.account)
        for job_id in known_ids - waits.keys():
            queue.entries.pop(job_id, None)
        if new_ids := waits - queue.entries.keys():
            for job in await self._ledger.get(list(new_ids)):
                queue.update(job)
        queue.remote_waits_until = {job_id: until for job_id, until in waits.items() if until is not None}

    async def _take_over(self, queue: PollQueue) -> bool:
        """Become the one who looks after the account, unless another process is; then the ledger is read afresh."""
        if not self._ownership.try_acquire(queue.account):
            return False
        queue.entries.clear()
        for job in await self._ledger.list_unfinished(queue.account):
            queue.update(job)
        queue.is_owned = True
        return True

    async def _announce_waiters(self, queue: PollQueue) -> float:
        """Tell the process that looks after the account which of its jobs are waited for here."""
        awaited_ids = [job_id for job_id in queue.entries if self._ledger.events.is_subscribed(job_id)]
        now, lifetime = self._clock.now(), timedelta(seconds=WAITERS_NOTE_TTL_S)
        unannounced_ids = [
            job_id for job_id in awaited_ids if queue.remote_waits_until.get(job_id, now) < now + lifetime / 2
        ]
        if unannounced_ids:
            await self._ledger.record_waiters(unannounced_ids, until=now + lifetime)
        return WATCH_INTERVAL_S if awaited_ids else STANDBY_INTERVAL_S

    async def _give_up_hopeless(self, queue: PollQueue) -> None:
        if hopeless := queue.find_hopeless_jobs():
            log.error("jobs past their deadline are given up", extra={"jobs": [job.id for job in hopeless]})
            await self._ledger.move_all({job.id: decide_after_deadline(job).state for job in hopeless})

    def _start_polls(self, queue: PollQueue) -> float:
        """Send as many requests as are due and allowed; returns how long the next has time."""
        while queue.polls_in_flight < MAX_CONCURRENT_POLLS:
            now_s = self._clock.monotonic()
            batch = queue.next_batch(now_s)
            if batch is None:
                return max(0.0, queue.compute_next_due_s() - now_s)
            if wait_s := queue.rate_limit.compute_wait_s(
                now_s, allow_burst=_should_burst(queue, batch)
            ) or self._compute_hold_s(queue, batch, now_s):
                return wait_s
            queue.rate_limit.take(now_s)
            queue.polls_in_flight += 1
            self._start_work(
                self._poll(queue, batch), name=f"look at {len(batch.entries)} of {queue.account}", entries=batch.entries
            )
        return OWNER_INTERVAL_S

    def _compute_hold_s(self, queue: PollQueue, batch: PollBatch, now_s: float) -> float:
        """How long to wait for a fuller batch: when so many jobs are due soon that every request will be needed."""
        if batch.is_full or queue.rate_limit.count_remaining(now_s) > batch.upcoming_full_batches:
            return 0.0
        return max(0.0, batch.full_at_s - now_s)

    def _start_work(self, work: Coroutine[object, object, None], *, name: str, entries: Sequence[PollEntry]) -> None:
        for entry in entries:
            entry.is_busy = True
        task = self._tasks.create_task(work, name=name)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    # Work in flight. It never raises, or the loops would end with it.

    async def _poll(self, queue: PollQueue, batch: PollBatch) -> None:
        try:
            await self._status_poller.poll(queue, batch)
        finally:
            queue.polls_in_flight -= 1
            self._release_entries(queue, batch.entries)

    async def _save(self, queue: PollQueue, entry: PollEntry) -> None:
        try:
            await self._image_saver.save(queue, entry)
        except Exception:  # one job that cannot be saved must not end the others
            entry.failures += 1
            pause_s = compute_backoff_s(entry.failures, retry_after_s=None, rng=self._rng)
            entry.not_before_s = self._clock.monotonic() + pause_s
            log.exception("saving stumbled", extra={"job": entry.job.id})
        finally:
            self._release_entries(queue, (entry,))

    def _release_entries(self, queue: PollQueue, entries: Sequence[PollEntry]) -> None:
        for entry in entries:
            entry.is_busy = False
        if any(entry.job.id in queue.entries for entry in entries):
            queue.wake_event.set()


def _should_burst(queue: PollQueue, batch: PollBatch) -> bool:
    """True in the middle of a wave: the last poll found its jobs done, so the next full batch will most likely, too."""
    return batch.is_full and queue.is_well_timed and queue.polls_in_flight == 0
