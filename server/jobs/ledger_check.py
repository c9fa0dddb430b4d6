"""A first look at the ledger, before its libraries are loaded: whether it can be opened at all."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.schema_version import check_version

if TYPE_CHECKING:
    from sqlite3 import Connection

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
    # Permissions alone do not tell: to root they grant /proc and /sys.
    probe = folder / f".atelier-{os.getpid()}-{threading.get_ident()}"
    probe.touch(mode=0o600)
    probe.unlink()


def _check_file(path: Path) -> None:
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        raise _build_error(path, "it is no file that this user may write to")
    import sqlite3

    try:
        version, oldest_reader = _read_versions(path)
    except sqlite3.Error as err:
        code = getattr(err, "sqlite_errorcode", None)  # none on what is raised here
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # somebody works with it: it is sound
            return
        raise _build_error(path, str(err)) from err
    check_version(version, oldest_reader=oldest_reader)


def _read_versions(path: Path) -> tuple[int, int]:
    """The version of the ledger's tables and its oldest reader; 1 and 1 for a file that has none yet."""
    import sqlite3

    with closing(sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)) as connection:
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(schema_version)")}
        _touch_tables(connection)
        # Without the second number it is older than this program.
        if "oldest_reader" not in columns:
            return 1, 1
        version, oldest_reader = connection.execute(
            "SELECT max(version), max(oldest_reader) FROM schema_version"
        ).fetchone()
    return int(version or 1), int(oldest_reader or 1)


def _touch_tables(connection: Connection) -> None:
    """Read a row of each table: damage shows on no earlier page. Raises ``sqlite3.Error`` also for another's tables."""
    import sqlite3

    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        connection.execute(f"SELECT * FROM {_quote_name(table)} LIMIT 1").fetchone()  # noqa: S608 (a quoted name)
    if not tables:
        return
    try:
        connection.execute("SELECT id FROM jobs LIMIT 1")
    except sqlite3.OperationalError as err:
        if "schema_version" in tables:
            raise
        raise sqlite3.DatabaseError("it holds the tables of another program") from err


def _quote_name(name: str) -> str:
    """A table's name as SQL takes it, whatever is in it."""
    return '"{}"'.format(name.replace('"', '""'))


def _build_error(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The ledger {path} cannot be opened: {reason.rstrip('.')}. Move it away, or set ATELIER_DATABASE_URL or "
        "ATELIER_HOME to another place."
    )
