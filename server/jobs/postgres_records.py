"""The records where PostgreSQL does it in another way: several processes write at once, and each trip costs.

Values travel as one array for each column: thousands of placeholders would be compiled and parsed every time.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, String, any_, bindparam, case, column, func, select, update
from sqlalchemy.dialects.postgresql import insert

from atelier_mcp.server.jobs.job_rows import to_row, to_spending_row
from atelier_mcp.server.jobs.postgres_notifications import ANSWERS_CHANNEL
from atelier_mcp.server.jobs.records import Records
from atelier_mcp.server.jobs.tables import jobs, owners, spending

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Column, ColumnElement, Table, TableValuedAlias, Update
    from sqlalchemy.sql.dml import ReturningInsert

    from atelier_mcp.server.jobs.job_opening import Opening

_BUDGET_LOCK: Final = 0x41_54_45_4C_0001
"""One lock for all budgets: one for each account would let two commits wait for each other."""
_STATE_COLUMNS: Final = ("id", "state", "detail", "finished", "updated_at")


class PostgresRecords(Records):
    """The ledger's tables through one open connection to PostgreSQL."""

    def lock_budgets(self) -> None:
        """Let no other transaction count what was spent until this one has ended."""
        # Of the transaction and not of the session: it falls free by itself, and a pooler does not disturb it.
        self._connection.execute(select(func.pg_advisory_xact_lock(_BUDGET_LOCK)))

    def notify_answers(self, payloads: Sequence[str]) -> None:
        """Let other servers hear what callers were told."""
        for payload in payloads:
            self._connection.execute(select(func.pg_notify(ANSWERS_CHANNEL, payload)))

    def insert_openings(self, openings: Sequence[Opening]) -> Collection[str]:
        """Write jobs with what they spend; returns the ids of those whose claim nobody else holds by now.

        It waits for a transaction that is just writing the same claim. An error, in place of that, would undo the rest.
        """
        job_rows = [
            to_row(opening.job, fingerprint=opening.fingerprint, process=opening.process) for opening in openings
        ]
        spending_rows = [to_spending_row(opening.job) for opening in openings]
        statement = _build_opening_insert(tuple(job_rows[0]), tuple(spending_rows[0]))
        parameters = _to_arrays(jobs, job_rows) | _to_arrays(spending, spending_rows)
        return set(self._connection.scalars(statement, parameters))

    def is_among(self, column: Column[str], values: Sequence[str]) -> ColumnElement[bool]:
        """The condition that a column has one of these values; what PostgreSQL cannot hold is in none."""
        possible = [value for value in values if "\0" not in value and value.isascii()]
        return column == any_(bindparam(None, possible, type_=ARRAY(String)))

    def is_epoch(self, account: str, epoch: int) -> bool:
        """True while an account is looked after in this epoch; who takes it over waits until this transaction ends."""
        query = select(owners.c.epoch).where(owners.c.account == account, owners.c.epoch == epoch)
        return self._connection.scalars(query.with_for_update(read=True)).first() is not None

    def write_states(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write down how jobs now stand."""
        self._connection.execute(_WRITE_STATES, _to_arrays(jobs, rows))

    def write_charges(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write down how many pictures jobs count as, and what they cost."""
        self._connection.execute(_build_charge_update(tuple(rows[0])), _to_arrays(spending, rows))


def _unnest(table: Table, names: Sequence[str]) -> TableValuedAlias:
    """Rows as a table, with the types of ``table``; their values are parameters of ``_to_arrays``."""
    # Of one dimension, which is said: a document that is a list would be taken for a second one.
    arrays = [bindparam(_name_array(table, name), type_=ARRAY(table.c[name].type, dimensions=1)) for name in names]
    columns = [column(name, table.c[name].type) for name in names]
    return func.unnest(*arrays).table_valued(*columns).render_derived()


def _to_arrays(table: Table, rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {_name_array(table, name): [row[name] for row in rows] for name in rows[0]}


def _name_array(table: Table, name: str) -> str:
    return f"{table.name}_{name}"


# Built once: building a statement takes longer than executing it.


@cache
def _build_opening_insert(job_columns: Sequence[str], spending_columns: Sequence[str]) -> ReturningInsert[str]:
    """Jobs, and in the same trip what those of them spend that could be written."""
    new_jobs, new_spending = _unnest(jobs, job_columns), _unnest(spending, spending_columns)
    written = (
        insert(jobs)
        .from_select(job_columns, select(new_jobs))
        .on_conflict_do_nothing(index_elements=[jobs.c.claim])
        .returning(jobs.c.id)
        .cte("written")
    )
    spent = select(new_spending).where(new_spending.c.job_id.in_(select(written.c.id)))
    return insert(spending).from_select(spending_columns, spent).returning(spending.c.job_id)


def _build_state_update() -> Update:
    new = _unnest(jobs, _STATE_COLUMNS)
    changes = {name: new.c[name] for name in _STATE_COLUMNS[1:]}
    claim = case((new.c.finished, None), else_=jobs.c.claim)
    return update(jobs).where(jobs.c.id == new.c.id).values(**changes, claim=claim)


_WRITE_STATES: Final = _build_state_update()


@cache
def _build_charge_update(names: Sequence[str]) -> Update:
    new = _unnest(spending, names)
    values = {name: new.c[name] for name in names if name != "job_id"}
    return update(spending).where(spending.c.job_id == new.c.job_id).values(values)
