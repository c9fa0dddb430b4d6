"""The ledger in PostgreSQL: opening it, and doing again what another process or a lost connection undid.

A transaction here may run more than once, so nothing in it ever talks to a service.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from atelier_mcp.server.errors import ConfigurationError, StorageUnavailable
from atelier_mcp.server.jobs import postgres_connection
from atelier_mcp.server.jobs.migrations import migrate
from atelier_mcp.server.jobs.postgres_check import check_server, check_sessions, check_tables
from atelier_mcp.server.jobs.postgres_notifications import CHANNEL, build_payloads
from atelier_mcp.server.jobs.postgres_records import PostgresRecords
from atelier_mcp.server.jobs.transactions import CommitResult, Database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    import psycopg
    from sqlalchemy import Connection, Engine

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.jobs.records import Records

    T = TypeVar("T")

_MIGRATION_LOCK: Final = 0x41_54_45_4C_0002
_POOL_SIZE: Final = 3
"""One for the writing thread, one for the reading one, one to spare."""
_LOCK_TIMEOUT: Final = "55P03"
_UNDONE: Final = frozenset({"40001", "40P01", _LOCK_TIMEOUT})
"""Serialization, deadlock, a lock that was not to be had: nothing was written."""
_REPEAT_FOR_S: Final = 10.0
"""A server that restarts is back by then."""
_MIGRATE_TRIES: Final = 20


_NOTIFY: Final = text("SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload")


class PostgresDatabase(Database):
    """A PostgreSQL that several processes share."""

    records_class: type[Records] = PostgresRecords

    def __init__(self, engine: Engine, *, name: str) -> None:
        """``name`` stands for the database in messages."""
        # What is read needs no transaction, and so no trips for its beginning and its end.
        super().__init__(engine, read_engine=engine.execution_options(isolation_level="AUTOCOMMIT"))
        self._name = name
        self.sender: str = uuid4().hex

    def commit(self, operations: Sequence[Callable[[Records], Any]]) -> CommitResult:
        """Do the operations in one transaction, again where it was undone, and return when it is safe on the disk.

        When the answer to a commit was lost, it is done again as well: whoever opens a job again finds its own.
        """
        return self._repeat(partial(super().commit, operations))

    def read(self, operation: Callable[[Records], T]) -> T:
        """What one operation reads."""
        return self._repeat(partial(super().read, operation))

    def must_repeat(self, error: Exception) -> bool:
        """True for an error that ends the whole transaction, so that all of it has to be done again."""
        return isinstance(error, DBAPIError) and (_is_lost(error) or _get_code(error) in _UNDONE)

    def notify_others(self, connection: Connection, changed_jobs: Sequence[Job]) -> None:
        """Let other processes hear of these jobs as soon as the transaction is committed."""
        if changed_jobs:
            payloads = {"channel": CHANNEL, "payloads": build_payloads(self.sender, changed_jobs)}
            connection.execute(_NOTIFY, payloads)

    def _repeat(self, work: Callable[[], T]) -> T:
        end_s, pause_s = time.monotonic() + _REPEAT_FOR_S, 0.005
        while True:
            try:
                return work()
            except (StorageUnavailable, DBAPIError, PoolTimeoutError) as error:
                cause = error.__cause__ if isinstance(error, StorageUnavailable) else error
                may_help = isinstance(cause, Exception) and self.must_repeat(cause)
                if not may_help or time.monotonic() + pause_s > end_s:
                    raise self._explain(error) from error
            time.sleep(pause_s)
            pause_s = min(1.0, pause_s * 2)

    def _explain(self, error: Exception) -> Exception:
        if isinstance(error, DBAPIError) and not isinstance(error, OperationalError):
            return error  # about what was written, and not about where
        return StorageUnavailable(
            f"The ledger cannot be used: {self._name} does not answer as it should.",
            hint="Whoever runs the server can mend it: atelier doctor tells what is wrong with it.",
        )


def open_postgres(url: str) -> PostgresDatabase:
    """Connect to the database that a URL names and bring its tables up to date, or make them.

    Raises ``ConfigurationError``, in one sentence, for a database that cannot be used.
    """
    engine = create_postgres_engine(url)
    try:
        _check(engine)
        _migrate(engine)
    except DBAPIError as err:
        engine.dispose()
        raise postgres_connection.build_connection_error(url, err.orig or err) from err
    except BaseException:
        engine.dispose()
        raise
    return PostgresDatabase(engine, name=postgres_connection.describe_server(url))


def create_postgres_engine(url: str) -> Engine:
    """Connections to the PostgreSQL of a URL, made on first use."""
    return create_engine(
        "postgresql+psycopg://",
        creator=partial(postgres_connection.connect, url),
        pool_size=_POOL_SIZE,
        max_overflow=0,
        pool_timeout=10,
        pool_recycle=1800,
        pool_use_lifo=True,
        use_native_hstore=False,  # asking for its type is a trip with each connection
    )


def _check(engine: Engine) -> None:
    # Without transactions: one would keep its session in a pooler, and nothing could be seen.
    plain_engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    with plain_engine.connect() as first, plain_engine.connect() as second:
        own, other = (cast("psycopg.Connection[Any]", one.connection.driver_connection) for one in (first, second))
        check_server(own)
        check_sessions(own, other)
        check_tables(own)


def _migrate(engine: Engine) -> None:
    """Take the steps that are missing; of several processes that start at once, one does."""
    for attempt in range(1, _MIGRATE_TRIES + 1):
        try:
            with engine.begin() as connection:
                # However long another one takes: its steps are ours as well.
                connection.execute(text("SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
                # Whoever comes after a step that waits for a table waits as well: it soon lets go, and tries again.
                connection.execute(text("SET LOCAL lock_timeout = '2s'"))
                migrate(connection)
        except DBAPIError as err:
            if _get_code(err) != _LOCK_TIMEOUT:
                raise
        else:
            return
        time.sleep(0.1 * attempt)
    raise ConfigurationError(
        "The ledger's tables cannot be brought up to date: something holds them all the time, perhaps a transaction "
        "that was left open (pg_stat_activity shows it)."
    )


def _get_code(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _is_lost(error: DBAPIError) -> bool:
    # One that could not be made has no code, and counts as not invalidated.
    return error.connection_invalidated or (isinstance(error, OperationalError) and _get_code(error) is None)
