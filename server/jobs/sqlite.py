"""The ledger in a SQLite file: opening it, and everything that is SQLite's own."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.migrations import migrate
from atelier_mcp.server.jobs.transactions import Database
from atelier_mcp.server.private_files import FILE_MODE, make_private_folder, touch_private, withhold

if TYPE_CHECKING:
    from sqlite3 import Connection as SqliteConnection

    from sqlalchemy import URL, Connection, Engine

_BUSY_TIMEOUT_MS: Final = 30_000
_POOL_SIZE: Final = 3
"""One for the writing thread, one for the reading one, one to spare."""


def open_sqlite(url: URL) -> Database:
    """Open or create the file that a URL names and bring its tables up to date.

    Raises ``ConfigurationError`` for a place that cannot be opened.
    """
    path = Path(url.database or "")
    try:
        make_private_folder(path.parent)
        # Two processes switching a new file to WAL at once would be told that it is locked, whatever the timeout.
        with FileLock(f"{path}.lock", mode=FILE_MODE):
            _withhold_database(path)
            engine = create_sqlite_engine(url)
            _migrate(engine)
    except OSError as err:
        raise ConfigurationError(
            f"The ledger {path} cannot be opened: {err.strerror}.", hint="Set ATELIER_HOME to another folder."
        ) from err
    except DatabaseError as err:
        raise ConfigurationError(f"The ledger {path} cannot be opened: {err.orig}.") from err
    return SqliteDatabase(engine)


class SqliteDatabase(Database):
    """An open SQLite file with today's tables."""

    def lock_for_writing(self, connection: Connection) -> None:
        """Wait for whoever writes, then keep others from it."""
        # At once: a reader that turns writer half-way can be refused without waiting. And not by an event of the
        # engine: with one, SQLAlchemy looks for listeners of all kinds at each statement.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(engine: Engine) -> None:
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection)
    except BaseException:
        # Not left to the garbage collection: where files that are open cannot be moved, this one is to be moved away.
        engine.dispose()
        raise


def _withhold_database(path: Path) -> None:
    """Keep the file from all but its owner: SQLite gives what it puts beside it the same mode."""
    touch_private(path)
    for existing in path.parent.glob(f"{glob.escape(path.name)}*"):
        withhold(existing)


def create_sqlite_engine(url: URL) -> Engine:
    """Connections to a SQLite file, each set up so that a commit is flushed and readers are not held up."""
    # What is checked in has no transaction open, so a reset would be one trip for nothing.
    engine = create_engine(
        url.set(drivername="sqlite"), pool_size=_POOL_SIZE, max_overflow=0, pool_reset_on_return=None
    )
    event.listen(engine, "connect", _configure_connection)
    return engine


def _configure_connection(connection: SqliteConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
