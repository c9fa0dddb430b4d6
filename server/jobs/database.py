"""The database under the ledger: opening it, and everything that is SQLite's own.

Every call here blocks; the ledger makes them in threads of its own.
"""

from __future__ import annotations

import glob
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from filelock import FileLock
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from atelier_mcp.server.errors import AtelierError, ConfigurationError, StorageUnavailable
from atelier_mcp.server.jobs.migrations import migrate
from atelier_mcp.server.jobs.records import Records
from atelier_mcp.server.private_files import FILE_MODE, make_private_folder, touch_private, withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from sqlite3 import Connection as SqliteConnection
    from typing import TypeVar

    from sqlalchemy import URL, Connection, Engine

    from atelier_mcp.server.jobs.model import Job

    T = TypeVar("T")

_BUSY_TIMEOUT_MS: Final = 30_000
_POOL_SIZE: Final = 3
"""One for the writing thread, one for the reading one, one to spare."""


class CommitResult(NamedTuple):
    """What came of some operations written together."""

    results: list[Any]
    """By operation: what it returned, or the exception it raised, whose writes alone are undone."""
    changed_jobs: list[Job]


class Database:
    """An open database with today's tables."""

    def __init__(self, engine: Engine) -> None:
        """Read and write through ``engine``."""
        self._engine = engine
        self._write_engine = engine.execution_options(writing=True)

    def commit(self, operations: Sequence[Callable[[Records], Any]]) -> CommitResult:
        """Do the operations in one transaction and return when it is safe on the disk."""
        with explain_disk_errors():
            # The usual case; a savepoint would be two more statements.
            return self._commit_one(operations[0]) if len(operations) == 1 else self._commit_all(operations)

    def _commit_all(self, operations: Sequence[Callable[[Records], Any]]) -> CommitResult:
        outcome = CommitResult([], [])
        with self._write_engine.begin() as connection:
            for operation in operations:
                records = Records(connection)
                try:
                    # A savepoint each: one that fails must not undo the others of the same flush.
                    with connection.begin_nested():
                        outcome.results.append(operation(records))
                    outcome.changed_jobs.extend(records.changed_jobs)
                except Exception as error:  # noqa: BLE001  # handed to whoever asked for the operation
                    outcome.results.append(error)
        return outcome

    def _commit_one(self, operation: Callable[[Records], Any]) -> CommitResult:
        try:
            with self._write_engine.begin() as connection:
                records = Records(connection)
                result = operation(records)
        # Anything else is a defect or a broken disk; the ledger hands it to whoever asked.
        except AtelierError as error:
            return CommitResult([error], [])
        return CommitResult([result], records.changed_jobs)

    def read(self, operation: Callable[[Records], T]) -> T:
        """What one operation reads."""
        with explain_disk_errors(), self._engine.connect() as connection:
            return operation(Records(connection))

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def explain_disk_errors() -> Generator[None]:
    """Raise ``StorageUnavailable`` for what the disk, or the file on it, makes impossible."""
    try:
        yield
    except DatabaseError as err:
        # The others, IntegrityError for one, are about what was written and not about where.
        if type(err) not in (DatabaseError, OperationalError):
            raise
        raise StorageUnavailable(
            f"The ledger cannot be used: {err.orig}.",
            hint="Whoever runs the server can mend it: free the disk, or look at ATELIER_HOME with atelier doctor.",
        ) from err


def open_database(location: str | Path) -> Database:
    """Open or create the database at a path or URL and bring its tables up to date.

    Any number of processes may do so at once. Raises ``ConfigurationError`` for a place that cannot be opened.
    """
    url = _parse_url(location)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigurationError(
            "ATELIER_DATABASE_URL: only SQLite in a file is supported.", hint="Leave it unset, or set sqlite:///PATH."
        )
    path = Path(url.database)
    try:
        make_private_folder(path.parent)
        # Two processes switching a new file to WAL at once would be told that it is locked, whatever the timeout.
        with FileLock(f"{path}.lock", mode=FILE_MODE):
            _withhold_database(path)
            engine = create_sqlite_engine(url)
            with engine.execution_options(writing=True).begin() as connection:
                migrate(connection)
    except OSError as err:
        raise ConfigurationError(
            f"The ledger {path} cannot be opened: {err.strerror}.", hint="Set ATELIER_HOME to another folder."
        ) from err
    except DatabaseError as err:
        raise ConfigurationError(f"The ledger {path} cannot be opened: {err.orig}.") from err
    return Database(engine)


def _withhold_database(path: Path) -> None:
    """Keep the file from all but its owner: SQLite gives what it puts beside it the same mode."""
    touch_private(path)
    for existing in path.parent.glob(f"{glob.escape(path.name)}*"):
        withhold(existing)


def _parse_url(location: str | Path) -> URL:
    text = str(location)
    try:
        return make_url(text if "://" in text else f"sqlite:///{text}")
    except (ArgumentError, ValueError) as err:
        raise ConfigurationError("ATELIER_DATABASE_URL is not a database URL.") from err


def create_sqlite_engine(url: URL) -> Engine:
    """Connections to a SQLite file, each set up so that a commit is flushed and readers are not held up."""
    # What is checked in has no transaction open, so a reset would be one trip for nothing.
    engine = create_engine(
        url.set(drivername="sqlite"), pool_size=_POOL_SIZE, max_overflow=0, pool_reset_on_return=None
    )
    event.listen(engine, "connect", _configure_connection)
    event.listen(engine, "begin", _begin_transaction)
    return engine


def _configure_connection(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin_transaction says, not where the driver guesses
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_transaction(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer half-way can be refused without waiting.
    if connection.get_execution_options().get("writing"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def count_unfinished_jobs(location: str | Path) -> int:
    """How many jobs are unfinished. Opens and closes the database, as ``open_database`` does.

    Raises ``ConfigurationError``, too, for a database that opens and cannot be read.
    """
    database = open_database(location)
    try:
        return database.read(lambda records: records.count_unfinished())
    except DatabaseError as err:
        raise ConfigurationError(
            f"The ledger cannot be read: {err.orig}.", hint="Move it away, or set ATELIER_HOME to another folder."
        ) from err
    finally:
        database.close()
