"""What was spent on a day, summed up as it is written.

A limit of a day is checked at every start of a job: counting ten thousand jobs of today for that would take longer than
the start itself. The database keeps the sums, by triggers, so that whoever inserts, updates or deletes rows of
``spending`` keeps them too: also a server of an earlier version, which knows nothing of them. ``TRUNCATE`` and SQLite's
``REPLACE`` go around triggers, and are used by nobody.

In PostgreSQL the sums of a day lie in several rows, by connection: with one row, every server would wait for the
others' transactions, and two could wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import DDL, BigInteger, Column, Integer, String, Table, event

from atelier_mcp.server.jobs.tables import metadata, spending

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS: Final = 64
"""Into so many rows a day's sums are spread at most, for each account, caller and currency."""

day_totals: Table = Table(
    "day_totals",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("account", String(120), primary_key=True),
    # Empty where a process of an earlier version has not written it down.
    Column("caller", String(200), primary_key=True),
    # Empty for what has no price, or none that is known.
    Column("currency", String(3), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("pictures", BigInteger, nullable=False),
    Column("cost_micros", BigInteger, nullable=False),
)

# Its triggers are made with it, on that table.
day_totals.add_is_dependent_on(spending)

_KEY: Final = "day, account, caller, currency, part"
_SUMS: Final = "sum(pictures), sum(coalesce(cost_micros, 0))"
_ADD: Final = f"""ON CONFLICT ({_KEY}) DO UPDATE SET
    pictures = day_totals.pictures + excluded.pictures, cost_micros = day_totals.cost_micros + excluded.cost_micros"""

# No statement here holds anything but names of ours, hence the noqa.
FILL: Final = f"""INSERT INTO day_totals ({_KEY}, pictures, cost_micros)
SELECT day, account, coalesce(caller, ''), coalesce(currency, ''), 0, {_SUMS}
FROM spending GROUP BY 1, 2, 3, 4"""  # noqa: S608
"""The sums of what was written before there were any."""

_CHANGES: Final = (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",)))
"""Of ``spending``, each with the rows that the database shows a trigger: OLD ones are subtracted, NEW ones added."""
_SIGNS: Final = {"NEW": "", "OLD": "-"}


def _build_sqlite_trigger(change: str, rows: Sequence[str]) -> str:
    """For each row by itself: there is one writer at a time."""
    sums = "\n".join(
        f"""    INSERT INTO day_totals ({_KEY}, pictures, cost_micros)
    SELECT {row}.day, {row}.account, coalesce({row}.caller, ''), coalesce({row}.currency, ''), 0,
        {_SIGNS[row]}{row}.pictures, {_SIGNS[row]}coalesce({row}.cost_micros, 0) WHERE true {_ADD};"""
        for row in rows
    )
    return f"CREATE TRIGGER day_totals_{change.lower()} AFTER {change} ON spending BEGIN\n{sums}\nEND"


def _build_postgres_trigger(change: str, rows: Sequence[str]) -> str:
    """For all rows of a statement together, in one order: else two statements could wait for each other.

    With the rights and the schema of who made it: a server of an earlier version may have a role with rights on the
    earlier tables alone.
    """
    columns = "day, account, caller, currency, {0}pictures AS pictures, {0}cost_micros AS cost_micros"
    changed = " UNION ALL ".join(f"SELECT {columns.format(_SIGNS[row])} FROM {row.lower()}_rows" for row in rows)  # noqa: S608
    tables = " ".join(f"{row} TABLE AS {row.lower()}_rows" for row in rows)
    name = f"day_totals_{change.lower()}"
    return f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN
    INSERT INTO day_totals ({_KEY}, pictures, cost_micros)
    SELECT day, account, coalesce(caller, ''), coalesce(currency, ''), mod(pg_backend_pid(), {_PARTS}), {_SUMS}
    FROM ({changed}) AS changed GROUP BY 1, 2, 3, 4
    HAVING sum(pictures) <> 0 OR sum(coalesce(cost_micros, 0)) <> 0 ORDER BY 1, 2, 3, 4
    {_ADD};
    RETURN NULL;
END $$;
CREATE TRIGGER {name} AFTER {change} ON spending REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {name}()"""  # noqa: S608


for _change, _rows in _CHANGES:
    for _dialect, _build in (("sqlite", _build_sqlite_trigger), ("postgresql", _build_postgres_trigger)):
        event.listen(day_totals, "after_create", DDL(_build(_change, _rows)).execute_if(dialect=_dialect))
