"""A quick look for jobs that an earlier process left unfinished, before the ledger's libraries are loaded."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from atelier_mcp.server.jobs.ledger_check import SQLITE_PREFIX

log: logging.Logger = logging.getLogger(__name__)


def has_unfinished_jobs(database_url: str) -> bool:
    """True when the ledger holds unfinished jobs, or is not of the kind that can be looked into so simply.

    A ledger that cannot be read is logged and counts as one without: the first tool call opens it in earnest and says
    what is wrong with it. May block on the disk; never raises.
    """
    if not database_url.startswith(SQLITE_PREFIX):
        return True
    path = Path(database_url.removeprefix(SQLITE_PREFIX))
    try:
        if not path.exists():
            return False
        # Read-only, so that a mere look neither creates a file nor migrates one.
        with closing(sqlite3.connect(f"file:{quote(path.as_posix())}?mode=ro", uri=True)) as connection:
            # A ledger that another process is just making has no tables yet, and so no jobs.
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'jobs'").fetchone() is None:
                return False
            return connection.execute("SELECT 1 FROM jobs WHERE NOT finished LIMIT 1").fetchone() is not None
    except (OSError, sqlite3.Error) as error:
        log.warning("the ledger could not be looked into for unfinished jobs: %s", error)
        return False
