"""The durable record of jobs and spending; the only truth.

Writes that arrive while the disk is busy are committed together, so that many jobs cost few flushes. The database and
its libraries are loaded on first use, in a thread: opening a ledger costs a starting server nothing.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from atelier.server.jobs.news import News

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from atelier.server.jobs.budget import Budget, Spending
    from atelier.server.jobs.clock import Clock
    from atelier.server.jobs.database import Commit, Database
    from atelier.server.jobs.model import Job, JobId, State
    from atelier.server.jobs.records import Records

T = TypeVar("T")


@asynccontextmanager
async def open_ledger(place: str | Path, *, clock: Clock) -> AsyncGenerator[Ledger]:
    """The ledger at a path or database URL; created and migrated on first use. Leaving waits for what is being written.

    Every method raises ``ConfigurationError`` when the place cannot be used.
    """
    ledger = Ledger(place, clock=clock)
    try:
        yield ledger
    finally:
        await ledger.close()


class Ledger:
    """Jobs on disk. What a method returned is on the disk, flushed."""

    def __init__(self, place: str | Path, *, clock: Clock) -> None:
        """Use ``open_ledger``."""
        self.news = News()
        """Tells of every change this process writes."""
        self.pending = 0
        """Operations begun and not ended."""
        self._place = place
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
        self._database: Database | None = None
        self._opening = threading.Lock()
        self._queue: list[tuple[Callable[[Records], Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Future[Commit] | None = None

    async def open_job(self, job: Job, *, fingerprint: str, budget: Budget, process: str) -> Job:
        """Write a new job down and reserve its pictures in one transaction.

        Returns ``job``, or the unfinished job of the same caller and fingerprint, which then is the one to wait for.
        ``process`` is who will send the submit. Raises ``BudgetExceeded``, and then nothing is written.
        """
        return await self._write(
            lambda records: records.open_job(job, fingerprint=fingerprint, budget=budget, process=process)
        )

    async def unfinished_twin(self, caller: str, fingerprint: str) -> Job | None:
        """The unfinished job of ``caller`` that asks for the same, if there is one."""
        return await self._read(lambda records: records.unfinished_twin(caller, fingerprint))

    async def move(self, job_id: JobId, state: State, *, charge: int | None = None) -> Job:
        """Move a job on, unless it is finished or further already; returns it as it now stands.

        ``charge`` settles the budget in the same transaction: pictures the job counts as from now on, 0 to give back
        all; without it the reservation stays. Raises ``JobNotFound``.
        """
        return (await self.move_all({job_id: state}, charges={} if charge is None else {job_id: charge}))[0]

    async def move_all(self, states: dict[JobId, State], *, charges: dict[JobId, int] | None = None) -> list[Job]:
        """``move`` for several jobs in one transaction."""
        settled = charges or {}
        now = self._clock.now()

        def moving(records: Records) -> list[Job]:
            from atelier.server.jobs.records import Move

            moves = [Move(job_id, state, settled.get(job_id)) for job_id, state in states.items()]
            return records.move(moves, now=now)

        return await self._write(moving)

    async def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids, in order. Raises ``JobNotFound`` naming those there are none of."""
        return await self._read(lambda records: records.get(ids))

    async def recent(self, *, states: Collection[str] | None = None, limit: int, offset: int = 0) -> list[Job]:
        """Jobs, newest first."""
        return await self._read(lambda records: records.recent(states, limit=limit, offset=offset))

    async def unfinished(self, account: str | None = None) -> list[Job]:
        """Jobs with something still to happen, oldest first."""
        return await self._read(lambda records: records.unfinished(account))

    async def live(self, account: str) -> dict[JobId, datetime | None]:
        """An account's jobs that the upstream has and that are not finished, with the end of ``attend`` for each."""
        return await self._read(lambda records: records.live(account))

    async def attend(self, ids: Sequence[JobId], *, until: datetime) -> None:
        """Tell the process that looks after these jobs that somebody waits for them here."""
        await self._write(lambda records: records.attend(ids, until))

    async def submitting(self, accounts: Collection[str]) -> list[tuple[JobId, str]]:
        """Jobs whose submit has no answer yet, each with the process that sends it."""
        return await self._read(lambda records: records.submitting(accounts))

    async def learn(self, account: str, capability: str, *seconds: float) -> float:
        """Remember how long more such jobs took at the upstream; returns what is typical now."""
        return await self._write(lambda records: records.learn(account, capability, seconds))

    async def typical_s(self, account: str, capability: str) -> float | None:
        """How long such jobs usually take at the upstream, where one was seen."""
        return await self._read(lambda records: records.typical_s(account, capability))

    async def spent(self, day: str, account: str) -> Spending:
        """Pictures reserved or made on a UTC day such as ``2026-11-20``."""
        return await self._read(lambda records: records.spent(day, account))

    async def close(self) -> None:
        """Wait for what is being written, then let go of the database."""
        while self._committing is not None:
            await asyncio.wait({self._committing})
        await asyncio.to_thread(self._close)

    async def _write(self, operation: Callable[[Records], T]) -> T:
        """Commit an operation. It is done even when the caller is cancelled meanwhile."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((operation, outcome))
        self._commit_queue()
        return await outcome

    def _commit_queue(self) -> None:
        if self._committing is not None or not self._queue:
            return
        batch, self._queue = self._queue, []
        self.pending += len(batch)
        operations = [operation for operation, _ in batch]
        self._committing = asyncio.get_running_loop().run_in_executor(self._writer, self._commit, operations)
        self._committing.add_done_callback(partial(self._committed, [outcome for _, outcome in batch]))

    def _committed(self, outcomes: list[asyncio.Future[Any]], commit: asyncio.Future[Commit]) -> None:
        self._committing = None
        self.pending -= len(outcomes)
        self._commit_queue()
        error = commit.exception()
        results: list[Any] = [error] * len(outcomes) if error else commit.result().results
        for outcome, result in zip(outcomes, results, strict=True):
            if outcome.cancelled():
                continue
            if isinstance(result, Exception):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)
        for job in () if error else commit.result().changed:
            self.news.publish(job)

    async def _read(self, operation: Callable[[Records], T]) -> T:
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader, self._query, operation)
        finally:
            self.pending -= 1

    # What follows runs in the ledger's own threads.

    def _commit(self, operations: list[Callable[[Records], Any]]) -> Commit:
        return self._connected().commit(operations)

    def _query(self, operation: Callable[[Records], T]) -> T:
        return self._connected().read(operation)

    def _connected(self) -> Database:
        with self._opening:
            if self._database is None:
                from atelier.server.jobs.database import open_database

                self._database = open_database(self._place)
            return self._database

    def _close(self) -> None:
        for threads in (self._writer, self._reader):
            threads.shutdown(wait=True)
        if self._database is not None:
            self._database.close()
