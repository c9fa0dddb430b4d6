"""Where the ledgers of tests lie: each kind of database there is, new for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine


_WITHOUT_TOTALS: Final = {
    "sqlite": [f"DROP TRIGGER day_totals_{change}" for change in ("insert", "update", "delete")],
    "postgresql": [f"DROP FUNCTION day_totals_{change} CASCADE" for change in ("insert", "update", "delete")],
}
_WITHOUT_MONEY: Final = (
    "DROP INDEX jobs_unfinished_of_caller",
    "DROP INDEX spending_of_day",
    "CREATE INDEX spending_by_day ON spending (day, account)",
    "ALTER TABLE jobs DROP COLUMN quote",
    *(f"ALTER TABLE spending DROP COLUMN {name}" for name in ("cost_micros", "currency", "is_estimate")),
    "ALTER TABLE schema_version DROP COLUMN oldest_reader",
    "UPDATE schema_version SET version = 4",
)


def create_plain_engine(url: str) -> Engine:
    """Connections to a ledger that know nothing of Atelier's settings."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://") if "://" in url else f"sqlite:///{url}")


def take_back_to_version_4(url: str, *, keeps_audit_lines: bool = False) -> None:
    """Make a ledger one of the fourth version, before prices and several servers.

    It ``keeps_audit_lines`` where their ids must not begin again.
    """
    take_back_to_version_7(url)
    without_lines = [] if keeps_audit_lines else ["DROP TABLE audit_lines"]
    execute_behind(url, *_WITHOUT_MONEY, *without_lines)


def take_back_to_version_7(url: str) -> None:
    """Make a ledger one of the seventh version, before a day's spending was summed up."""
    triggers = _WITHOUT_TOTALS["postgresql" if url.startswith("postgresql") else "sqlite"]
    execute_behind(url, *triggers, "DROP TABLE day_totals", "UPDATE schema_version SET version = 7")


def execute_behind(url: str, *statements: str) -> Sequence[tuple[Any, ...]]:
    """Run statements behind the ledger's back, and return the rows of the last one."""
    engine = create_plain_engine(url)
    with engine.begin() as connection:
        results = [connection.execute(text(statement)) for statement in statements]
        rows = [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    engine.dispose()
    return rows
