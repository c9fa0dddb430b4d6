"""Where the ledgers of tests lie: each kind of database there is, new for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine


WITHOUT_MONEY: Final = (
    "DROP INDEX jobs_unfinished_of_caller",
    "DROP INDEX spending_of_day",
    "CREATE INDEX spending_by_day ON spending (day, account)",
    "ALTER TABLE jobs DROP COLUMN quote",
    *(f"ALTER TABLE spending DROP COLUMN {name}" for name in ("cost_micros", "currency", "is_estimate")),
    "DROP TABLE audit_lines",
    "ALTER TABLE schema_version DROP COLUMN oldest_reader",
    "UPDATE schema_version SET version = 4",
)
"""Statements that make a ledger one of the fourth version, before prices and several servers."""


def create_plain_engine(url: str) -> Engine:
    """Connections to a ledger that know nothing of Atelier's settings."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://") if "://" in url else f"sqlite:///{url}")


def execute_behind(url: str, *statements: str) -> Sequence[tuple[Any, ...]]:
    """Run statements behind the ledger's back, and return the rows of the last one."""
    engine = create_plain_engine(url)
    with engine.begin() as connection:
        results = [connection.execute(text(statement)) for statement in statements]
        rows = [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    engine.dispose()
    return rows
