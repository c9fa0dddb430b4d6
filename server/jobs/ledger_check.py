"""A first look at the ledger, before its libraries are loaded: whether it can be opened at all."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.schema_version import check_version

SQLITE_PREFIX: Final = "sqlite:///"
_POSTGRES_SCHEMES: Final = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
WRONG_LEDGER_URL: Final = (
    "ATELIER_DATABASE_URL: a ledger is a SQLite file or a PostgreSQL; leave it unset, or set sqlite:///PATH or "
    "postgresql://USER:PASSWORD@HOST/NAME."
)


def is_postgres_url(database_url: str) -> bool:
    """Whether the ledger lies in a PostgreSQL."""
    return database_url.partition("://")[0] in _POSTGRES_SCHEMES


def check_ledger(database_url: str) -> Path | None:
    """The ledger's file, which need not exist yet; None where it lies in a PostgreSQL, which was reached.

    Raises ``ConfigurationError``, in one line, for a ledger that cannot be opened: of another kind, in a place that
    cannot be written to or reached, damaged, or written by a newer Atelier. May block on the disk or the network; makes
    nothing.
    """
    if is_postgres_url(database_url):
        from atelier_mcp.server.jobs.postgres_check import check_postgres

        check_postgres(database_url)
        return None
    if not database_url.startswith(SQLITE_PREFIX) or database_url == SQLITE_PREFIX:
        raise ConfigurationError(WRONG_LEDGER_URL)
    path = Path(database_url.removeprefix(SQLITE_PREFIX).partition("?")[0])
    try:
        if path.exists():
            _check_file(path)
        else:
            _check_folder(path)
    except OSError as err:
        raise _build_error(path, err.strerror or str(err)) from err
    return path


def _check_folder(path: Path) -> None:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise _build_error(path, f"{folder} is no folder that this user may write to")


def _check_file(path: Path) -> None:
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        raise _build_error(path, "it is no file that this user may write to")
    import sqlite3

    try:
        version, oldest_reader = _read_versions(path)
    except sqlite3.Error as err:
        if err.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # somebody works with it: it is sound
            return
        raise _build_error(path, str(err)) from err
    check_version(version, oldest_reader=oldest_reader)


def _read_versions(path: Path) -> tuple[int, int]:
    """The version of the ledger's tables and its oldest reader; 1 and 1 for a file that has none yet."""
    import sqlite3

    with closing(sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)) as connection:
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(schema_version)")}
        # Without the second number it is older than this program.
        if "oldest_reader" not in columns:
            return 1, 1
        version, oldest_reader = connection.execute(
            "SELECT max(version), max(oldest_reader) FROM schema_version"
        ).fetchone()
    return int(version or 1), int(oldest_reader or 1)


def _build_error(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The ledger {path} cannot be opened: {reason.rstrip('.')}. Move it away, or set ATELIER_DATABASE_URL or "
        "ATELIER_HOME to another place."
    )
