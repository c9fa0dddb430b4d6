"""A quick look for jobs that an earlier process left unfinished, before the ledger's libraries are loaded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

SQLITE_PREFIX = "sqlite:///"


def has_unfinished_jobs(database_url: str) -> bool:
    """True when the ledger holds unfinished jobs, or cannot be looked into so simply. May block on the disk."""
    if not database_url.startswith(SQLITE_PREFIX):
        return True
    path = Path(database_url.removeprefix(SQLITE_PREFIX))
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(path.as_posix())}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM jobs WHERE NOT finished LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True
