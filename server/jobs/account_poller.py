"""The loop that looks after the jobs of one account: the poll queue's clock, network and ledger.

Only the process that owns the account polls; any other one that shares the ledger stands by and takes over when the
owner is gone. All an owner knows is in the ledger, so nothing is handed over.

                  a job of the account turns up                  owned: poll, save
        idle ----------------------------------> standby <---------------------------> owner
         ^                                          |       lock got / process ended     |
         +------------------------------------------+------------------------------------+
                             no unfinished job: the lock is left to others
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.jobs.outcomes import decide_after_deadline
from atelier_mcp.server.jobs.poll_batch import Allowance, Pause
from atelier_mcp.server.jobs.poll_queue import PollQueue
from atelier_mcp.server.jobs.schedule import compute_backoff_s

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.image_saver import ImageSaver
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.poll_batch import PollBatch
    from atelier_mcp.server.jobs.status_poller import StatusPoller
    from atelier_mcp.server.providers.provider import Provider

    WorkStarter = Callable[[Coroutine[object, object, None], str], None]

log: logging.Logger = logging.getLogger(__name__)

WATCH_INTERVAL_S: Final = 0.25
"""How often the ledger is read while somebody here waits for a job that another process looks after."""
STANDBY_INTERVAL_S: Final = 2.0
"""The same while nobody here waits for it."""
OWNER_INTERVAL_S: Final = 1.0
"""How often whoever looks after an account reads what the others began and gave up."""
IDLE_INTERVAL_S: Final = 5.0
"""How often the ledger is read while nothing is unfinished."""
HANDOVER_S: Final = 2.0
"""So long a process leaves an account to the one that is to have it; it may not be there, or not have its settings."""
WAITERS_NOTE_TTL_S: Final = 60.0
"""How long a note that somebody waits holds; it is renewed at half that time."""
EMULATOR_TYPICAL_S: Final = 0.3
"""The built-in emulator draws on this machine: its tasks take well under a second."""


class AccountPoller:
    """Polls one account's jobs and saves their pictures while ``run`` goes on."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        *,
        status_poller: StatusPoller,
        image_saver: ImageSaver,
        ownership: Ownership,
        clock: Clock,
        rng: Random,
        start_work: WorkStarter,
        polls_from_start: Callable[[str], bool] = lambda _capability: False,
    ) -> None:
        """``start_work`` runs a coroutine under a name, beside the loop and to its end.

        ``polls_from_start`` tells for which capabilities the first poll comes at once.
        """
        self._provider = provider
        self._ledger = ledger
        self._status_poller = status_poller
        self._image_saver = image_saver
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._start_work = start_work
        self._queue = PollQueue(batch_size=provider.batch_size, rng=rng, polls_from_start=polls_from_start)
        self._remote_waits_until: dict[JobId, datetime] = {}
        """Until when somebody in another process waits for a job."""
        self._epoch: int | None = None
        """Since when this process looks after the account; None while it does not."""
        self._yields_until_s: float | None = None
        """So long the jobs here are left to another process; None while there are none."""
        self._refreshed_at_s = float("-inf")
        self._wake_event = asyncio.Event()
        self._next_turn_s = float("-inf")
        """The loop does nothing before, unless it is woken; in the past while a turn goes on."""
        self._is_stopped = False

    @property
    def account(self) -> str:
        """Whose jobs these are."""
        return self._provider.account

    @property
    def _is_owner(self) -> bool:
        return self._epoch is not None

    def list_owned_ids(self) -> list[JobId]:
        """The unfinished jobs that this process polls."""
        return list(self._queue.ids) if self._is_owner else []

    def stop(self) -> None:
        """Begin nothing more."""
        self._is_stopped = True
        self._wake_event.set()

    def update(self, job: Job) -> None:
        """Take note of how a job of the account now stands."""
        self._queue.update(job, now_s=self._clock.monotonic(), now=self._clock.now())
        self._wake_if_urgent(job.id)

    def note_waiter(self, job_id: JobId) -> None:
        """Somebody here began to wait for a job, which may be none of this account's."""
        self._queue.add_awaited(job_id)
        self._wake_if_urgent(job_id)

    def refresh_soon(self) -> None:
        """Another process wrote about jobs of the account: whoever looks after it, or is to, reads that now."""
        if self._is_owner or self._ownership.is_preferred(self.account):
            self._refreshed_at_s = float("-inf")
            self._wake_event.set()

    async def run(self) -> None:
        """Look after the account until stopped; what is in flight then goes on."""
        failures = 0
        while not self._is_stopped:
            self._wake_event.clear()
            self._next_turn_s = float("-inf")
            try:
                idle_s = await self._take_turn()
                failures = 0
            except Exception:  # whatever it was, the loop must not die and leave jobs alone
                failures += 1
                log.exception("the poller stumbled", extra={"account": self.account})
                idle_s = compute_backoff_s(failures, retry_after_s=None, rng=self._rng)
            self._next_turn_s = self._clock.monotonic() + idle_s
            await wait_with_timeout(self._clock, idle_s, self._wake_event.wait())

    def _wake_if_urgent(self, job_id: JobId) -> None:
        if self._queue.is_urgent(job_id, next_turn_s=self._next_turn_s):
            self._wake_event.set()

    async def _take_turn(self) -> float:
        """Begin everything that is due; returns how long there is nothing to begin."""
        await self._refresh()
        if not self._queue.ids:
            self._epoch = self._yields_until_s = None
            await self._ownership.release(self.account)
            return IDLE_INTERVAL_S
        if not await self._take_over():
            return await self._announce_waiters()
        await self._load_typical_durations()
        await self._give_up_hopeless()
        # Nothing is awaited from here on: what changes meanwhile would wake a loop that has not yet gone to sleep.
        for job in self._queue.take_saves(self._clock.monotonic()):
            self._start_work(self._save(job), f"saving {job.id}")
        return min(self._start_polls(), OWNER_INTERVAL_S)

    async def _refresh(self) -> None:
        """Bring the poll queue in step with what other processes wrote."""
        now_s = self._clock.monotonic()
        if now_s - self._refreshed_at_s < (OWNER_INTERVAL_S if self._is_owner else WATCH_INTERVAL_S):
            return
        self._refreshed_at_s = now_s
        # Before the ledger is read: a job accepted while it is read is in neither list and must not be removed.
        known_ids = set(self._queue.ids)
        waits = await self._ledger.load_live_waits(self.account)
        self._queue.remove(known_ids - waits.keys())
        if new_ids := waits.keys() - self._queue.ids:
            for job in await self._ledger.get(list(new_ids)):
                self.update(job)
        self._remote_waits_until = {job_id: until for job_id, until in waits.items() if until is not None}

    async def _take_over(self) -> bool:
        """Be or become the owner, unless another process is; who becomes it reads the ledger afresh.

        Afresh, because what this process read while another one was the owner may be older than the owner's last
        write. Whatever a former owner still writes, the ledger takes only steps forward (``model.can_follow``).
        """
        if self._is_left_to_another():
            return False
        epoch = await self._ownership.try_acquire(self.account)
        if epoch is not None and epoch != self._epoch:
            self._queue.remove(list(self._queue.ids))
            for job in await self._ledger.list_unfinished(self.account):
                self.update(job)
        self._epoch = epoch
        return self._is_owner

    def _is_left_to_another(self) -> bool:
        """Whether another process is to have the account, and has had too little time to take it."""
        # The built-in emulator is each process' own: its tasks are known nowhere else.
        if self._is_owner or self._provider.is_emulated or self._ownership.is_preferred(self.account):
            return False
        now_s = self._clock.monotonic()
        if self._yields_until_s is None:
            self._yields_until_s = now_s + HANDOVER_S
        return now_s < self._yields_until_s

    async def _announce_waiters(self) -> float:
        """Tell the owner which of its jobs are waited for here; returns how long until the next turn."""
        awaited_ids = self._list_awaited_here()
        now, lifetime = self._clock.now(), timedelta(seconds=WAITERS_NOTE_TTL_S)
        unannounced_ids = [
            job_id for job_id in awaited_ids if self._remote_waits_until.get(job_id, now) < now + lifetime / 2
        ]
        if unannounced_ids:
            await self._ledger.record_waiters(unannounced_ids, until=now + lifetime)
        return WATCH_INTERVAL_S if awaited_ids else STANDBY_INTERVAL_S

    def _list_awaited_here(self) -> list[JobId]:
        return [job_id for job_id in self._queue.ids if self._ledger.events.is_subscribed(job_id)]

    async def _load_typical_durations(self) -> None:
        for capability in self._queue.find_unknown_capabilities():
            known_s = await self._ledger.get_typical_s(self.account, capability)
            self._queue.learn(capability, EMULATOR_TYPICAL_S if self._provider.is_emulated else known_s)

    async def _give_up_hopeless(self) -> None:
        hopeless = self._queue.find_hopeless_jobs()
        if hopeless and self._epoch is not None:
            log.error("jobs past their deadline are given up", extra={"jobs": [job.id for job in hopeless]})
            states = {job.id: decide_after_deadline(job).state for job in hopeless}
            await self._ledger.move_as_owner(states, account=self.account, epoch=self._epoch)

    def _start_polls(self) -> float:
        """Send as many requests as are due and allowed; returns how long the next has time."""
        now, rate_limit = self._clock.now(), self._provider.poll_rate_limit
        remote = (job_id for job_id, until in self._remote_waits_until.items() if until > now)
        self._queue.set_awaited([*self._list_awaited_here(), *remote])
        while True:
            now_s = self._clock.monotonic()
            batch = self._queue.next_batch(now_s, self._read_allowance(now_s))
            if isinstance(batch, Pause):
                return batch.wait_s
            rate_limit.take(now_s)
            self._start_work(self._poll(batch), f"poll of {len(batch.entries)} at {self.account}")

    def _read_allowance(self, now_s: float) -> Allowance:
        rate_limit = self._provider.poll_rate_limit
        return Allowance(
            spread_wait_s=rate_limit.compute_wait_s(now_s, allow_burst=False),
            burst_wait_s=rate_limit.compute_wait_s(now_s, allow_burst=True),
            remaining_count=rate_limit.count_remaining(now_s),
            window_s=rate_limit.window_s,
        )

    # Work in flight. It never raises, or the loops would end with it.

    async def _poll(self, batch: PollBatch) -> None:
        await self._status_poller.poll(self._provider, self._queue, batch)
        if any(entry.job.id in self._queue.ids for entry in batch.entries):
            self._wake_event.set()

    async def _save(self, job: Job) -> None:
        try:
            await self._image_saver.save(job, self._provider, reload=lambda: self._queue.find(job.id))
        except Exception:  # one job that cannot be saved must not end the others
            log.exception("saving stumbled", extra={"job": job.id})
            self._queue.postpone_save(job.id, now_s=self._clock.monotonic())
        else:
            self._queue.end_save(job.id)
        if job.id in self._queue.ids:
            self._wake_event.set()
