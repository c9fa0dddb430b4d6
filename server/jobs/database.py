"""Opening the database under the ledger, whichever it is. Every call here blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.ledger_check import WRONG_LEDGER_URL, is_postgres_url
from atelier_mcp.server.jobs.sqlite import open_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL

    from atelier_mcp.server.jobs.transactions import Database


def open_database(location: str | Path) -> Database:
    """Open or create the database at a path or URL and bring its tables up to date.

    Any number of processes may do so at once. Raises ``ConfigurationError`` for a place that cannot be opened.
    """
    if is_postgres_url(str(location)):
        # Its driver is loaded only where it is used.
        from atelier_mcp.server.jobs.postgres import open_postgres

        return open_postgres(str(location))
    url = _parse_url(location)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise ConfigurationError(WRONG_LEDGER_URL)
    return open_sqlite(url)


def _parse_url(location: str | Path) -> URL:
    text = str(location)
    try:
        return make_url(text if "://" in text else f"sqlite:///{text}")
    except (ArgumentError, ValueError) as err:
        raise ConfigurationError("ATELIER_DATABASE_URL is not a database URL.") from err


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
