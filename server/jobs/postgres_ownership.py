"""Ownership by locks of one session at a PostgreSQL, which falls free when that session ends, however it does.

A session can end while its process goes on: the network was cut, or the server restarted. The process learns it at its
next word, up to ten seconds later than the server, and for so long two processes may take an account for theirs. What
they do meanwhile does little harm, since jobs only move forward; the epoch tells the first one that it was replaced.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from atelier_mcp.server.errors import StorageUnavailable
from atelier_mcp.server.jobs import postgres_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import TypeVar

    from psycopg import Connection

    T = TypeVar("T")

log: logging.Logger = logging.getLogger(__name__)

ORPHAN_AGE_S: Final = 360.0
"""As long as services may take to answer a submit, and a minute: a sender that seems gone may only be cut off."""
BEAT_INTERVAL_S: Final = 2.0
_SESSION: Final = {
    # The server must notice a cut network as soon as we do: by itself it would keep the locks for two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
    "idle_session_timeout": "0",
    "statement_timeout": "5s",
}
_KEEPALIVES: Final = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
_NAME: Final = "atelier session "
"""What a session is called in the server's lists, before its process' name."""
_LIST_PROCESSES: Final = """
SELECT array_agg(substr(application_name, %s)) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE pg_database.datname = current_database())
AND classid = %s::bigint::oid AND objid = %s::bigint::oid"""
"""Those whose sessions hold the lock that all of a ledger's processes share."""
_TAKE: Final = """
INSERT INTO owners AS held (account, epoch, process) VALUES (%s, 1, %s)
ON CONFLICT (account) DO UPDATE SET epoch = held.epoch + 1, process = excluded.process RETURNING epoch"""
_IS_LOCKED: Final = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = %s::bigint::oid AND objid = %s::bigint::oid)"""


class PostgresOwnership:
    """Locks of one session. Use it with ``async with``; this process counts as alive inside, once it was announced."""

    orphan_age_s: float = ORPHAN_AGE_S

    def __init__(self, url: str) -> None:
        """Connect to the ledger's database at first use."""
        self.process: str = uuid4().hex
        self._session = _Session(url, self.process)
        # One thread: a session does one thing at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ownership")
        self._is_announced = False
        self._processes: Sequence[str] = (self.process,)
        """Those that share the ledger, as of the last beat."""
        self._tasks = asyncio.TaskGroup()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._beating = self._tasks.create_task(self._beat(), name="ownership")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._run(self._session.close)
        self._thread.shutdown()

    @property
    def process_count(self) -> int:
        """How many processes share the ledger, this one included; right to a few seconds."""
        return len(self._processes)

    def is_preferred(self, account: str) -> bool:
        """Whether, of the processes there are, this one is to look after the account.

        Each process gives each account a number, and the highest has it: when a process comes or goes, no account
        changes hands but its own.
        """
        return max(self._processes, key=lambda process: _compute_key(account, process)) == self.process

    async def announce(self) -> None:
        """Count as alive from now on; to be called before this process' name is written anywhere.

        Raises ``StorageUnavailable`` while the database cannot be reached.
        """
        if not self._is_announced:
            await self._run(self._session.announce)
            self._is_announced = True

    async def try_acquire(self, account: str) -> int | None:
        """The epoch in which this process looks after the account, from now on if nobody else does; None if one does.

        Raises ``StorageUnavailable`` while the database cannot be reached.
        """
        # Without a word to the server: the beat tells when the session is lost.
        held_epoch = self._session.epochs.get(account)
        return held_epoch if held_epoch is not None else await self._run(partial(self._session.acquire, account))

    async def release(self, account: str) -> None:
        """Leave the account to whoever asks next."""
        if account in self._session.epochs:
            await self._run(partial(self._session.release, account))

    async def is_alive(self, process: str) -> bool:
        """True while the process of that name goes on, and the database hears of it."""
        return process == self.process or await self._run(partial(self._session.is_alive, process))

    async def _beat(self) -> None:
        """Find out when the session was lost, take this process' name again in a new one, and see who else is there."""
        while True:
            try:
                processes = await self._run(partial(self._session.beat, is_announced=self._is_announced))
            except StorageUnavailable:
                log.warning("the ledger's database does not answer: its accounts are left to others")
            else:
                # Where the server does not show the names, as if there were no others.
                self._processes = processes if self.process in processes else (self.process,)
            await asyncio.sleep(BEAT_INTERVAL_S)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Session:
    """The connection whose end gives every lock up. Every call blocks, and opens it where there is none."""

    def __init__(self, url: str, process: str) -> None:
        self.epochs: dict[str, int] = {}
        """The accounts that this process looks after."""
        self._url = url
        self._process = process
        self._has_name = False
        self._is_member = False
        self._schema = ""
        self._connection: Connection[Any] | None = None

    def beat(self, *, is_announced: bool) -> Sequence[str]:
        """The processes that share the ledger, this one among them. Raises ``StorageUnavailable`` as ``check`` does."""
        if is_announced:
            self.announce()
        key = self._compute_ledger_key("members")
        if not self._is_member:
            self._is_member = bool(self._ask("SELECT pg_try_advisory_lock_shared(%s)", key))
        return self._ask(_LIST_PROCESSES, len(_NAME) + 1, *_split_key(key)) or ()

    def announce(self) -> None:
        """Hold the lock of this process' name, or leave it to its former session, which still counts as ours."""
        self.check()
        if not self._has_name:
            self._has_name = bool(self._ask("SELECT pg_try_advisory_lock(%s)", _compute_key("process", self._process)))

    def check(self) -> None:
        """Raise ``StorageUnavailable`` where the session is lost, and with it everything that was held."""
        self._ask("SELECT 1")

    def acquire(self, account: str) -> int | None:
        """The account's epoch, or None while another session has it."""
        key = self._compute_ledger_key(f"account\n{account}")
        if not self._ask("SELECT pg_try_advisory_lock(%s)", key):
            return None
        try:
            self.epochs[account] = int(self._ask(_TAKE, account, self._process))
        except BaseException:
            self._close()  # or it would be held without anybody's looking after it
            raise
        return self.epochs[account]

    def release(self, account: str) -> None:
        """Give the account up; the end of the session has done so already."""
        if self.epochs.pop(account, None) is not None:
            self._ask("SELECT pg_advisory_unlock(%s)", self._compute_ledger_key(f"account\n{account}"))

    def is_alive(self, process: str) -> bool:
        """Whether a session holds the name. By looking: a lock that is tried in one's own session is always granted."""
        return bool(self._ask(_IS_LOCKED, *_split_key(_compute_key("process", process))))

    def close(self) -> None:
        """Give everything up and end the session."""
        if self._connection is not None:
            # Said, because the server hears of the connection's end a little later.
            with suppress(StorageUnavailable):
                self._ask("SELECT pg_advisory_unlock_all()")
        self._close()

    def _compute_ledger_key(self, name: str) -> int:
        """The key of what is a ledger's own: a database may hold several, each in a schema."""
        if not self._schema:
            self._schema = str(self._ask("SELECT current_schema()"))
        return _compute_key(self._schema, name)

    def _ask(self, statement: str, *values: object) -> Any:
        try:
            if self._connection is None:
                name = f"{_NAME}{self._process}"
                self._connection = postgres_connection.connect(
                    self._url, session=_SESSION, autocommit=True, application_name=name, **_KEEPALIVES
                )
            row = self._connection.execute(statement.encode(), values).fetchone()
        except postgres_connection.DriverError as err:
            self._close()
            raise StorageUnavailable(
                "The ledger's database does not answer.",
                hint="Whoever runs the server can mend it: atelier doctor tells what is wrong with it.",
            ) from err
        return None if row is None else row[0]

    def _close(self) -> None:
        self.epochs.clear()
        self._has_name = self._is_member = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _compute_key(kind: str, name: str) -> int:
    """64 bits with a sign, the same in every process."""
    return int.from_bytes(sha256(f"atelier\n{kind}\n{name}".encode()).digest()[:8], "big", signed=True)


def _split_key(key: int) -> tuple[int, int]:
    """Its halves, as the server lists a lock."""
    unsigned = key & 0xFFFFFFFFFFFFFFFF
    return unsigned >> 32, unsigned & 0xFFFFFFFF
