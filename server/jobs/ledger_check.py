"""A first look at the ledger, before its libraries are loaded: whether it can be opened at all."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from atelier_mcp.server.errors import ConfigurationError

SQLITE_PREFIX: Final = "sqlite:///"
NEWEST_VERSION: Final = 4
"""Where the steps of ``migrations`` lead. Said here, too: loading them takes a quarter of a second at every start."""


def check_ledger(database_url: str) -> Path:
    """The ledger's file, which need not exist yet.

    Raises ``ConfigurationError``, in one line, for a ledger that cannot be opened: of another kind, in a place that
    cannot be written to, damaged, or written by a newer Atelier. May block on the disk; makes nothing.
    """
    if not database_url.startswith(SQLITE_PREFIX) or database_url == SQLITE_PREFIX:
        raise ConfigurationError(
            "ATELIER_DATABASE_URL: only SQLite in a file is supported; leave it unset, or set sqlite:///PATH."
        )
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
        version = _read_version(path)
    except sqlite3.Error as err:
        if err.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # somebody works with it: it is sound
            return
        raise _build_error(path, str(err)) from err
    check_version(version)


def check_version(version: int, *, newest: int = NEWEST_VERSION) -> None:
    """Raise ``ConfigurationError``, in one line, for a ledger from a newer Atelier."""
    if version > newest:
        raise ConfigurationError(
            f"The ledger was written by a newer Atelier (version {version} of it, this one knows {newest}): upgrade "
            "atelier-mcp, or point ATELIER_HOME at another folder."
        )


def _read_version(path: Path) -> int:
    """The version of the ledger's tables; 1 for a file that has none yet."""
    import sqlite3

    with closing(sqlite3.connect(f"file:{quote(path.absolute().as_posix())}?mode=ro", uri=True)) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone() is None:
            return 1
        (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(version or 1)


def _build_error(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The ledger {path} cannot be opened: {reason.rstrip('.')}. Move it away, or set ATELIER_DATABASE_URL or "
        "ATELIER_HOME to another place."
    )
