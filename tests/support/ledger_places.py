"""Where the ledgers of tests lie: each kind of database there is, new for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine


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
