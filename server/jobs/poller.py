"""The background loops that ask upstreams for news, in batches, and carry every accepted job to its end.

Each account is looked after by one process at a time, which keeps a desk of its jobs. The others watch the ledger.
Everything a loop needs is in the ledger: it may be stopped at any line and resumed by any process.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from atelier_mcp.server.jobs.clock import happens_within
from atelier_mcp.server.jobs.desk import MOST_LOOKS_AT_ONCE, Desk
from atelier_mcp.server.jobs.looking import Looker
from atelier_mcp.server.jobs.model import Unconfirmed
from atelier_mcp.server.jobs.outcomes import too_late
from atelier_mcp.server.jobs.saving import Saver
from atelier_mcp.server.jobs.schedule import backoff_s

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.desk import Batch, Tracked
    from atelier_mcp.server.jobs.gallery import Gallery
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.providers.base import Provider

log = logging.getLogger(__name__)

WATCHING_S: Final = 0.25
"""How often the ledger is read while somebody here waits for a job that another process looks after."""
RIVAL_S: Final = 2.0
"""The same while nobody here waits for it."""
OWNER_S: Final = 1.0
"""How often whoever looks after an account reads what the others began and gave up."""
IDLE_S: Final = 5.0
"""How often the ledger is read while nothing is unfinished."""
ATTENDANCE_S: Final = 60.0
"""How long a note that somebody waits holds; it is renewed at half that time."""
GRACE_S: Final = 5.0
"""What is in hand may take this long when the poller is stopped."""


STAND_IN_S: Final = 0.3
"""The built-in stand-in draws on this machine: its tasks take well under a second."""


class Poller:
    """Looks after the jobs of some accounts while inside ``async with``."""

    def __init__(
        self,
        ledger: Ledger,
        providers: Sequence[Provider],
        gallery: Gallery,
        *,
        ownership: Ownership,
        clock: Clock,
        random: Random,
    ) -> None:
        """Jobs of accounts that no provider stands for are left alone."""
        self._ledger = ledger
        self._ownership = ownership
        self._clock = clock
        self._random = random
        self._looker = Looker(ledger, clock=clock, random=random)
        self._saver = Saver(ledger, gallery, clock=clock, random=random)
        news = ledger.news
        self._desks: dict[str, Desk] = {
            provider.account: Desk(provider, clock=clock, followed=news.is_followed) for provider in providers
        }
        self._listening: AbstractContextManager[None] = news.listen(self._hear)
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._loops: list[asyncio.Task[None]] = []
        self._in_hand: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._listening.__enter__()
        for desk in self._desks.values():
            self._start_loop(self._attend_desk(desk), name=f"poller of {desk.account}")
        self._start_loop(self._watch_others(), name="poller of other processes")
        return self

    def _start_loop(self, loop: Coroutine[object, object, None], *, name: str) -> None:
        self._loops.append(self._tasks.create_task(loop, name=name))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        await asyncio.wait(self._loops)
        await self._finish_in_hand()
        await self._tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group
        self._listening.__exit__(None, None, None)
        for desk in self._desks.values():
            self._ownership.let_go(desk.account)

    def stop(self) -> None:
        """Begin nothing more; what is in hand is finished."""
        self._stopping.set()
        self._bell.set()
        for desk in self._desks.values():
            desk.bell.set()

    def attend(self, ids: Iterable[JobId]) -> None:
        """Somebody began to wait for these jobs (see ``News.follow``)."""
        self._bell.set()
        for job_id in ids:
            for desk in self._desks.values():
                if tracked := desk.tracked.get(job_id):
                    desk.ring_for(tracked)

    def _hear(self, job: Job) -> None:
        if desk := self._desks.get(job.account):
            desk.hear(job)

    async def _finish_in_hand(self) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=GRACE_S)
        for task in self._in_hand:
            task.cancel()

    # The two kinds of loop.

    async def _attend_desk(self, desk: Desk) -> None:
        failures = 0
        while not self._stopping.is_set():
            desk.bell.clear()
            desk.rests_until_s = float("-inf")
            try:
                rest_s = await self._turn(desk)
                failures = 0
            except Exception:  # whatever it was, the loop must not die and leave jobs alone
                failures += 1
                log.exception("the poller stumbled", extra={"account": desk.account})
                rest_s = backoff_s(failures, retry_after_s=None, random=self._random)
            desk.rests_until_s = self._clock.monotonic() + rest_s
            await happens_within(self._clock, rest_s, desk.bell.wait())

    async def _watch_others(self) -> None:
        failures = 0
        seen: dict[JobId, Job] = {}
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                seen = await self._watch(seen)
                failures = 0
                rest_s = WATCHING_S if seen else IDLE_S
            except Exception:  # as above: who waits must not wait for a dead loop
                failures += 1
                log.exception("the ledger could not be watched")
                rest_s = backoff_s(failures, retry_after_s=None, random=self._random)
            await happens_within(self._clock, rest_s, self._bell.wait())

    async def _watch(self, seen: Mapping[JobId, Job]) -> dict[JobId, Job]:
        """Publish what became of jobs waited for here and moved on elsewhere; give up those of dead processes."""
        await self._give_up_orphans()
        here = {job_id for desk in self._desks.values() if desk.owned for job_id in desk.tracked}
        elsewhere = self._ledger.news.followed() - here
        jobs = {job.id: job for job in await self._ledger.get(list(elsewhere))} if elsewhere else {}
        for job in jobs.values():
            if seen.get(job.id) != job:
                self._ledger.news.publish(job)
        return {job.id: job for job in jobs.values() if not job.finished}

    async def _give_up_orphans(self) -> None:
        submitting = await self._ledger.submitting(self._desks.keys())
        alive = {process: self._ownership.is_alive(process) for process in {process for _, process in submitting}}
        orphans = [job_id for job_id, process in submitting if not alive[process]]
        if orphans:
            log.warning("jobs were being sent by a process that is gone", extra={"jobs": orphans})
            await self._ledger.move_all(dict.fromkeys(orphans, Unconfirmed()))

    # One turn at a desk.

    async def _turn(self, desk: Desk) -> float:
        """Begin everything that is due for an account; returns how long there is nothing to begin."""
        await self._refresh(desk)
        if not desk.tracked:
            desk.owned = False
            self._ownership.let_go(desk.account)
            return IDLE_S
        if not desk.owned and not await self._take_over(desk):
            return await self._stand_by(desk)
        for capability in desk.unknown_capabilities():
            known_s = await self._ledger.typical_s(desk.account, capability)
            desk.typical_s[capability] = STAND_IN_S if desk.provider.disclaimer else known_s
        await self._give_up_hopeless(desk)
        for tracked in list(desk.savings(self._clock.monotonic())):
            self._begin(self._save(desk, tracked), name=f"saving {tracked.job.id}", jobs=(tracked,))
        return min(self._begin_looks(desk), OWNER_S)

    async def _refresh(self, desk: Desk) -> None:
        """Bring the desk in step with what other processes wrote."""
        now_s = self._clock.monotonic()
        if now_s - desk.refreshed_s < (OWNER_S if desk.owned else WATCHING_S):
            return
        desk.refreshed_s = now_s
        before = set(desk.tracked)
        live = await self._ledger.live(desk.account)
        for job_id in before - live.keys():
            desk.tracked.pop(job_id, None)
        if arrived := live - desk.tracked.keys():
            for job in await self._ledger.get(list(arrived)):
                desk.hear(job)
        desk.attended_elsewhere = {job_id: until for job_id, until in live.items() if until is not None}

    async def _take_over(self, desk: Desk) -> bool:
        """Become the one who looks after the account, unless another process is; then the ledger is read afresh."""
        if not self._ownership.hold(desk.account):
            return False
        desk.tracked.clear()
        for job in await self._ledger.unfinished(desk.account):
            desk.hear(job)
        desk.owned = True
        return True

    async def _stand_by(self, desk: Desk) -> float:
        """Tell the process that looks after the account which of its jobs are waited for here."""
        followed = [job_id for job_id in desk.tracked if self._ledger.news.is_followed(job_id)]
        now, lasts = self._clock.now(), timedelta(seconds=ATTENDANCE_S)
        untold = [job_id for job_id in followed if desk.attended_elsewhere.get(job_id, now) < now + lasts / 2]
        if untold:
            await self._ledger.attend(untold, until=now + lasts)
        return WATCHING_S if followed else RIVAL_S

    async def _give_up_hopeless(self, desk: Desk) -> None:
        if hopeless := desk.hopeless():
            log.error("jobs past their deadline are given up", extra={"jobs": [job.id for job in hopeless]})
            await self._ledger.move_all({job.id: too_late(job).state for job in hopeless})

    def _begin_looks(self, desk: Desk) -> float:
        """Send as many requests as are due and allowed; returns how long the next has time."""
        while desk.looks < MOST_LOOKS_AT_ONCE:
            now_s = self._clock.monotonic()
            batch = desk.batch(now_s)
            if batch is None:
                return max(0.0, desk.next_due_s() - now_s)
            if wait_s := desk.pace.wait_s(now_s, haste=_may_haste(desk, batch)) or self._holding_s(desk, batch, now_s):
                return wait_s
            desk.pace.take(now_s)
            desk.looks += 1
            self._begin(self._look(desk, batch), name=f"look at {len(batch.jobs)} of {desk.account}", jobs=batch.jobs)
        return OWNER_S

    def _holding_s(self, desk: Desk, batch: Batch, now_s: float) -> float:
        """How long to wait for a fuller batch: when so many jobs are due soon that every request will be needed."""
        if batch.full or desk.pace.left(now_s) > batch.wave:
            return 0.0
        return max(0.0, batch.fills_at_s - now_s)

    def _begin(self, work: Coroutine[object, object, None], *, name: str, jobs: Sequence[Tracked]) -> None:
        for tracked in jobs:
            tracked.busy = True
        task = self._tasks.create_task(work, name=name)
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)

    # Work in hand. It never raises, or the loops would end with it.

    async def _look(self, desk: Desk, batch: Batch) -> None:
        try:
            await self._looker.look(desk, batch)
        finally:
            desk.looks -= 1
            self._put_down(desk, batch.jobs)

    async def _save(self, desk: Desk, tracked: Tracked) -> None:
        try:
            await self._saver.save(desk, tracked)
        except Exception:  # one job that cannot be saved must not end the others
            tracked.failures += 1
            pause_s = backoff_s(tracked.failures, retry_after_s=None, random=self._random)
            tracked.not_before_s = self._clock.monotonic() + pause_s
            log.exception("saving stumbled", extra={"job": tracked.job.id})
        finally:
            self._put_down(desk, (tracked,))

    def _put_down(self, desk: Desk, jobs: Sequence[Tracked]) -> None:
        for tracked in jobs:
            tracked.busy = False
        if any(tracked.job.id in desk.tracked for tracked in jobs):
            desk.bell.set()


def _may_haste(desk: Desk, batch: Batch) -> bool:
    """True in the middle of a wave: the last look found its jobs done, so the next full batch will most likely, too."""
    return batch.full and desk.in_step and desk.looks == 0
