"""The records where PostgreSQL does it in another way: several processes write at once, and each trip costs.

Values travel as one array for each column: thousands of placeholders would be compiled and parsed every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ARRAY, String, any_, bindparam, case, column, func, select, update
from sqlalchemy.dialects.postgresql import insert

from atelier_mcp.server.jobs.postgres_notifications import ANSWERS_CHANNEL
from atelier_mcp.server.jobs.records import Records
from atelier_mcp.server.jobs.tables import jobs, owners, spending

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Column, ColumnElement, Table, TableValuedAlias

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

    def insert_rows(
        self, table: Table, rows: Sequence[dict[str, Any]], *, unless_taken: Column[Any] | None = None
    ) -> Collection[str]:
        """Write rows; a row whose value of ``unless_taken`` another one has by now is left out.

        It waits for a transaction that is just writing the same value. An error, in place of that, would undo the rest.
        """
        names = list(rows[0])
        first_column = next(iter(table.primary_key))
        statement = insert(table).from_select(names, select(_unnest(table, names, rows)))
        if unless_taken is not None:
            statement = statement.on_conflict_do_nothing(index_elements=[unless_taken])
        return set(self._connection.scalars(statement.returning(first_column)))

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
        new = _unnest(jobs, _STATE_COLUMNS, rows)
        changes = {name: new.c[name] for name in _STATE_COLUMNS[1:]}
        claim = case((new.c.finished, None), else_=jobs.c.claim)
        self._connection.execute(update(jobs).where(jobs.c.id == new.c.id).values(**changes, claim=claim))

    def write_charges(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write down how many pictures jobs count as, and what they cost."""
        names = list(rows[0])
        new = _unnest(spending, names, rows)
        values = {name: new.c[name] for name in names if name != "job_id"}
        self._connection.execute(update(spending).where(spending.c.job_id == new.c.job_id).values(values))


def _unnest(table: Table, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> TableValuedAlias:
    """Rows as a table, with the types of ``table``."""
    # Of one dimension, which is said: a document that is a list would be taken for a second one.
    types = {name: ARRAY(table.c[name].type, dimensions=1) for name in names}
    arrays = [bindparam(None, [row[name] for row in rows], type_=types[name]) for name in names]
    columns = [column(name, table.c[name].type) for name in names]
    return func.unnest(*arrays).table_valued(*columns, name="new").render_derived()
