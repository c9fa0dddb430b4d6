"""The durable record of jobs and spending; the only truth.

Writes that arrive while the disk is busy are committed together, and moves of jobs as one, so that many jobs cost few
flushes and few statements.

The database and its libraries are loaded on first use, in a thread: opening a ledger costs a starting server nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from atelier_mcp.server.errors import AtelierError, Spent
from atelier_mcp.server.jobs.answer_notes import AnswerNotes
from atelier_mcp.server.jobs.audit import describe_person
from atelier_mcp.server.jobs.job_events import JobEvents
from atelier_mcp.server.jobs.job_opening import NOBODY, Opening
from atelier_mcp.server.jobs.ledger_check import is_postgres_url
from atelier_mcp.server.jobs.model import Failed, JobFilter, Move, Submitting
from atelier_mcp.server.jobs.postgres_notifications import NotificationListener
from atelier_mcp.server.jobs.read_queue import ReadQueue, settle_future

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.audit import AuditLine, AuditLog
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.model import Job, JobId, State
    from atelier_mcp.server.jobs.postgres_notifications import ChangedJobs
    from atelier_mcp.server.jobs.records import Records
    from atelier_mcp.server.jobs.spending import CallerSpending
    from atelier_mcp.server.jobs.timing import JobTiming
    from atelier_mcp.server.jobs.transactions import CommitResult, Database

T = TypeVar("T")

log: logging.Logger = logging.getLogger(__name__)

AUDIT_STALE_S: Final = 5.0
"""A process puts its lines into the audit log at once: what lies for so long belongs to one that died."""
ANY_JOB: Final = JobFilter()


@asynccontextmanager
async def open_ledger(location: str | Path, *, clock: Clock, audit: AuditLog | None = None) -> AsyncGenerator[Ledger]:
    """The ledger at a path or database URL; created and migrated on first use. Leaving waits for what is being written.

    Every method raises ``ConfigurationError`` when the place cannot be used. ``audit`` is told of spending.
    """
    ledger = Ledger(location, clock=clock, audit=audit)
    try:
        yield ledger
    finally:
        await ledger.close()


class Ledger:
    """Jobs on disk. What a method returned is on the disk, flushed."""

    def __init__(self, location: str | Path, *, clock: Clock, audit: AuditLog | None = None) -> None:
        """Use ``open_ledger``."""
        self.events: JobEvents = JobEvents()
        """Tells of every change this process writes."""
        self.answers: AnswerNotes = AnswerNotes()
        """What callers were told, here and by other servers."""
        self.pending: int = 0
        """Operations begun and not ended."""
        self._location = location
        self.clock: Clock = clock
        """The time that all servers of the ledger share."""
        self._audit = audit
        self._auditor = uuid.uuid4().hex
        """Whose lines for the audit log these are, among all that write into this ledger."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._audit_timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._reads = ReadQueue(self._read_one)
        self._database: Database | None = None
        self._open_lock = threading.Lock()
        self._queue: list[_Write] = []
        self._pending_openings: list[tuple[list[Opening], asyncio.Future[list[Job]]]] = []
        self._pending_moves: list[tuple[list[Move], asyncio.Future[list[Job]]]] = []
        """New jobs, and moves, not yet in the queue; they join it as one write each."""
        self._doubtful_ids: list[JobId] = []
        """Jobs whose commit failed, and so are never sent, though it may have been written all the same."""
        self._running_commit: asyncio.Future[CommitResult] | None = None

    async def open_job(self, job: Job, *, fingerprint: str, budget: Budget, process: str) -> Job:
        """Write a new job down and reserve its pictures in one transaction.

        Returns ``job``, or the unfinished job of the same caller and fingerprint, which then is the one to wait for.
        ``process`` is who will send the submit. Raises ``BudgetExceeded``, and then nothing is written.
        """
        opening: asyncio.Future[list[Job]] = asyncio.get_running_loop().create_future()
        person = describe_person() if self._audit else NOBODY
        self._pending_openings.append(([Opening(job, fingerprint, budget, process, person)], opening))
        self._commit_queue()
        (opened_job,) = await opening
        return opened_job

    async def find_unfinished_duplicate(self, caller: str, fingerprint: str) -> Job | None:
        """The unfinished job of ``caller`` that asks for the same, if there is one."""
        return await self._read(lambda records: records.find_unfinished_duplicate(caller, fingerprint))

    async def move(
        self,
        job_id: JobId,
        state: State,
        *,
        charge: int | None = None,
        only_from: tuple[type[State], ...] | None = None,
    ) -> Job:
        """Move a job on, unless it is finished or further already; returns it as it now stands.

        With ``only_from`` it is moved from one of these states and no other, also from a final one.

        ``charge`` settles the budget in the same transaction: pictures the job counts as from now on, 0 to give back
        all; without it the reservation stays. Raises ``JobNotFound``.
        """
        return (await self._move([Move(job_id, state, self.clock.now(), charge, only_from)]))[0]

    async def move_all(self, states: dict[JobId, State], *, charges: dict[JobId, int] | None = None) -> list[Job]:
        """``move`` for several jobs in one transaction; when one is not there, the others are moved all the same."""
        now, charge_by_id = self.clock.now(), charges or {}
        return await self._move(
            [Move(job_id, state, now, charge_by_id.get(job_id)) for job_id, state in states.items()]
        )

    async def move_as_owner(self, states: dict[JobId, State], *, account: str, epoch: int) -> None:
        """``move_all`` for what only the owner of an account may decide; nothing, if another one has taken over.

        A process that was paused, or cut off, does not know by itself that it is the owner no more.
        """
        now = self.clock.now()
        moves = [Move(job_id, state, now) for job_id, state in states.items()]
        await self._write(lambda records: records.move_as_owner(moves, account=account, epoch=epoch))

    async def _move(self, moves: list[Move]) -> list[Job]:
        moved_jobs: asyncio.Future[list[Job]] = asyncio.get_running_loop().create_future()
        self._pending_moves.append((moves, moved_jobs))
        self._commit_queue()
        return await moved_jobs

    async def get(self, ids: Sequence[JobId], *, caller: str | None = None) -> list[Job]:
        """The jobs of these ids, in order. Raises ``JobNotFound`` naming those there are none of.

        With a ``caller`` there are only its own.
        """
        return await self._read(lambda records: records.get(ids, caller=caller))

    async def find(self, ids: Sequence[JobId], *, caller: str | None = None) -> list[Job]:
        """Those jobs of these ids that there are, of ``caller`` or of anybody, in order, each once."""
        return await self._read(lambda records: records.find(ids, caller=caller))

    async def list_recent(self, job_filter: JobFilter = ANY_JOB, *, limit: int, offset: int = 0) -> list[Job]:
        """Jobs, newest first."""
        return await self._read(lambda records: records.list_recent(job_filter, limit=limit, offset=offset))

    async def measure(self, unfinished_jobs: Sequence[Job]) -> dict[JobId, JobTiming]:
        """How long unfinished jobs have taken, what such jobs usually take, and what is before them."""
        now = self.clock.now()
        return await self._read(lambda records: records.measure(unfinished_jobs, now=now))

    async def list_unfinished(self, account: str) -> list[Job]:
        """An account's jobs with something still to happen, oldest first."""
        return await self._read(lambda records: records.list_unfinished(account))

    async def load_live_waits(self, account: str) -> dict[JobId, datetime | None]:
        """An account's unfinished jobs at the upstream, each with until when somebody waits (``record_waiters``)."""
        return await self._read(lambda records: records.load_live_waits(account))

    async def record_waiters(self, ids: Sequence[JobId], *, until: datetime) -> None:
        """Tell the process that looks after these jobs that somebody waits for them here."""
        await self._write(lambda records: records.record_waiters(ids, until))

    async def list_submitting(self, accounts: Collection[str]) -> list[tuple[JobId, str]]:
        """Jobs whose submit has no answer yet, each with the process that sends it."""
        return await self._read(lambda records: records.list_submitting(accounts))

    async def list_spending_by_caller(self, since_day: str, *, caller: str | None = None) -> list[CallerSpending]:
        """Pictures and money by UTC day (``2026-11-20``), caller and account since a day, that day included.

        Oldest first; of one ``caller`` or of all.
        """
        return await self._read(lambda records: records.list_spending_by_caller(since_day, caller=caller))

    async def record_durations(self, account: str, capability: str, *seconds: float) -> float:
        """Remember how long more such jobs took at the upstream; returns what is typical now."""
        return await self._write(lambda records: records.record_durations(account, capability, seconds))

    async def get_typical_s(self, account: str, capability: str) -> float | None:
        """How long such jobs usually take at the upstream, where one was seen."""
        return await self._read(lambda records: records.get_typical_s(account, capability))

    async def note_answer(self, caller: str, jobs: Sequence[Job]) -> None:
        """Remember, here and at other servers, what a caller was told of these jobs."""
        payloads = self.answers.add(caller, jobs)
        if payloads and is_postgres_url(str(self._location)):
            try:
                await self._read(lambda records: records.notify_answers(payloads))
            except AtelierError:  # no reason to keep the answer itself back
                log.warning("other servers do not hear what was answered")

    @asynccontextmanager
    async def hear_others(self, handle: Callable[[ChangedJobs | None], None]) -> AsyncGenerator[None]:
        """Call ``handle`` with what other processes write, inside, and with None when some of it may have been missed.

        What they answer is noted in ``answers`` meanwhile.

        Where processes cannot tell each other, as with SQLite, it is never called: the ledger has to be read.
        """
        if not is_postgres_url(str(self._location)):
            yield
            return
        loop = asyncio.get_running_loop()

        def handle_others(changed_jobs: ChangedJobs | None) -> None:
            if changed_jobs is None or self._database is None or changed_jobs.sender != self._database.sender:
                handle(changed_jobs)

        listener = NotificationListener(
            str(self._location),
            partial(loop.call_soon_threadsafe, handle_others),
            on_answer=partial(loop.call_soon_threadsafe, self.answers.hear),
        )
        try:
            yield
        finally:
            await asyncio.to_thread(listener.close)

    async def close(self) -> None:
        """Wait for what is being written, then let go of the database."""
        while self._running_commit is not None:
            await asyncio.wait({self._running_commit})
        self._is_closed = True
        if self._audit_timer is not None:
            self._audit_timer.cancel()
        await asyncio.to_thread(self._close_database)

    async def _write(self, operation: Callable[[Records], T]) -> T:
        """Commit an operation. It is done even when the caller is cancelled meanwhile."""
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Write(operation, partial(settle_future, outcome)))
        self._commit_queue()
        return await outcome

    def _commit_queue(self, *, settles_doubtful: bool = False) -> None:
        # What comes meanwhile waits in the queue and shares the next flush.
        if self._running_commit is not None:
            return
        self._loop = asyncio.get_running_loop()
        batch, self._queue = self._queue, []
        # A job is opened before it is moved, and before anything else is noted about it.
        if self._pending_openings:
            job_ids = [opening.job.id for openings, _ in self._pending_openings for opening in openings]
            write = _merge(self._pending_openings, lambda records, openings: records.open_jobs(openings))
            batch.insert(0, write._replace(opened_ids=job_ids))
            self._pending_openings = []
        # First of all: an equal request must not join one of those. Never alone after a failure, which might last.
        if self._doubtful_ids and (batch or settles_doubtful):
            batch.insert(0, _give_up_doubtful(self._doubtful_ids, at=self.clock.now()))
            self._doubtful_ids = []
        if self._pending_moves:
            batch.append(_merge(self._pending_moves, lambda records, moves: records.move(moves)))
            self._pending_moves = []
        if not batch:
            return
        self.pending += len(batch)
        operations = [write.operation for write in batch]
        self._running_commit = asyncio.get_running_loop().run_in_executor(self._writer, self._commit, operations)
        self._running_commit.add_done_callback(partial(self._handle_commit, batch))

    def _handle_commit(self, batch: list[_Write], commit: asyncio.Future[CommitResult]) -> None:
        self._running_commit = None
        self.pending -= len(batch)
        error = commit.exception()
        if error is not None:
            self._doubtful_ids += [job_id for write in batch for job_id in write.opened_ids]
        if error is None and commit.result().has_audit_lines:
            self._start_audit()
        self._commit_queue()
        # The whole transaction failed; what of it is on the disk all the same is given up as soon as that can be done.
        results: list[Any] = [error] * len(batch) if error else commit.result().results
        for write, result in zip(batch, results, strict=True):
            write.settle(result)
        # Callers first, events second: a caller that moved a job hears of it once, as its own result.
        for job in () if error else commit.result().changed_jobs:
            self.events.publish(job)

    async def _read(self, operation: Callable[[Records], T]) -> T:
        self.pending += 1
        try:
            result = await self._reads.read(operation)
        finally:
            self.pending -= 1
        if self._doubtful_ids:  # the database is there again
            self._commit_queue(settles_doubtful=True)
        return result

    def _start_audit(self) -> None:
        """Put the lines that are committed into the audit log, before whatever is committed next."""
        if not self._is_closed:
            self._writer.submit(self._write_audit_log)

    def _plan_audit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look again when what others left, if they are dead, may be taken over."""
        if self._audit_timer is not None:
            self._audit_timer.cancel()
        self._audit_timer = loop.call_later(AUDIT_STALE_S, self._start_audit)

    # What follows runs in the ledger's own threads.

    def _commit(self, operations: list[Callable[[Records], Any]]) -> CommitResult:
        return self._ensure_database().commit(operations)

    def _read_one(self, operation: Callable[[Records], Any]) -> Any:
        return self._ensure_database().read(operation)

    def _ensure_database(self) -> Database:
        with self._open_lock:
            if self._database is None:
                from atelier_mcp.server.jobs.database import open_database

                self._database = open_database(self._location)
                if self._audit is not None:
                    self._database.auditor = self._auditor
                    # What a process that died has left.
                    self._start_audit()
            return self._database

    def _write_audit_log(self) -> None:
        """Put lines into the audit log, again after a while if another process may have left some behind."""
        assert self._audit is not None  # noqa: S101  # for the type checker
        now, age = self.clock.now(), timedelta(seconds=AUDIT_STALE_S)
        move_lines = partial(_move_audit_lines, append=self._audit.append, fresh=(now - age, now + age))
        try:
            (left_count,) = self._ensure_database().commit([move_lines]).results
        except Exception as err:  # noqa: BLE001  # a full disk, a lost database: the lines stay in the ledger till then
            # The jobs are paid for whether or not the books can be kept.
            log.error("spending is not in the audit log yet: %s", getattr(err, "strerror", None) or err)  # noqa: TRY400
            return
        if left_count and self._loop is not None:
            self._loop.call_soon_threadsafe(self._plan_audit, self._loop)

    def _close_database(self) -> None:
        self._writer.shutdown(wait=True)
        self._reads.close()
        if self._database is not None:
            self._database.close()


def _move_audit_lines(
    records: Records, *, append: Callable[[Sequence[AuditLine]], None], fresh: tuple[datetime, datetime]
) -> int:
    return records.move_audit_lines(append, fresh=fresh)


class _Write(NamedTuple):
    """An operation and who is told its result, which may be an exception."""

    operation: Callable[[Records], Any]
    settle: Callable[[Any], None]
    opened_ids: Sequence[JobId] = ()
    """Jobs that are given up if the commit fails."""


def _give_up_doubtful(job_ids: Sequence[JobId], *, at: datetime) -> _Write:
    """End and pay back those of the jobs that were written after all: their caller was told that they were not."""
    state = Failed("The ledger failed as it was written down, so it was never sent.", Spent.NOTHING.value)
    moves = [Move(job_id, state, at, charge=0, only_from=(Submitting,)) for job_id in job_ids]

    def move_all(records: Records) -> object:
        return records.move(moves)

    def ignore(_results: object) -> None:
        """Nobody waits for it."""

    return _Write(move_all, ignore, job_ids)


def _merge(
    requests: list[tuple[list[T], asyncio.Future[list[Job]]]],
    write_all: Callable[[Records, list[T]], Sequence[Job | Exception]],
) -> _Write:
    """All that was asked for, as one operation whose results go back to each who asked."""
    items = [item for requested, _ in requests for item in requested]

    def settle_all(results: Sequence[Job | Exception] | Exception) -> None:
        start = 0
        for requested, outcome in requests:
            if isinstance(results, Exception):
                settle_future(outcome, results)
                continue
            own_results = results[start : start + len(requested)]
            start += len(requested)
            settle_future(
                outcome, next((result for result in own_results if isinstance(result, Exception)), own_results)
            )

    def write_items(records: Records) -> object:
        return write_all(records, items)

    return _Write(write_items, settle_all)
