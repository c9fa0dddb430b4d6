"""Which kind of locks says who looks after an account: whoever shares a ledger must share them as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.jobs.ledger_check import is_postgres_url
from atelier_mcp.server.jobs.ownership import FileOwnership

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.jobs.postgres_ownership import PostgresOwnership


def create_ownership(database_url: str, *, locks_folder: Path) -> FileOwnership | PostgresOwnership:
    """Locks beside the ledger: in its PostgreSQL, or in files under ``locks_folder``."""
    if not is_postgres_url(database_url):
        return FileOwnership(locks_folder)
    from atelier_mcp.server.jobs.postgres_ownership import PostgresOwnership

    return PostgresOwnership(database_url)
