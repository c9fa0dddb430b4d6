"""The ledger's tables. A change here comes with a step in ``migrations``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine


class ResultReader(Protocol):
    """What SQLAlchemy calls with each value of a column."""

    def __call__(self, value: Any) -> Any:
        """The value as Python has it."""
        ...


class UtcTime(TypeDecorator[datetime]):
    """An aware moment. SQLite knows no zones and keeps it as UTC without one. What is none is read as None."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type."""
        return dialect.type_descriptor(DateTime(timezone=_has_zones(dialect)))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        return value.astimezone(UTC) if _has_zones(dialect) else value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> ResultReader | None:
        """From the database."""
        return _make_lenient(super().result_processor(dialect, coltype), instead=lambda _: None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.astimezone(UTC) if _has_zones(dialect) else value.replace(tzinfo=UTC)


def _has_zones(dialect: Dialect) -> bool:
    return dialect.name == "postgresql"


class Document(TypeDecorator[Any]):
    """JSON. What is none, in a damaged ledger, is read as its text, so that a row's reader can tell."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = JSON
    cache_ok: bool | None = True

    def result_processor(self, dialect: Dialect, coltype: object) -> ResultReader | None:
        """From the database."""
        return _make_lenient(super().result_processor(dialect, coltype), instead=str)


def _make_lenient(read: ResultReader | None, *, instead: Callable[[Any], Any]) -> ResultReader | None:
    """The same reader, with ``instead`` for a value that it cannot read: one of those must not hide the other rows."""
    if read is None:
        return None

    def read_or_not(value: Any) -> Any:
        try:
            return read(value)
        except (ValueError, TypeError):
            return instead(value)

    return read_or_not


metadata: MetaData = MetaData()

jobs: Table = Table(
    "jobs",
    metadata,
    # Names and types stay as they are: ledgers on disk outlive the code, and processes of two versions may share one.
    Column("id", String(40), primary_key=True),
    Column("capability", String(80), nullable=False),
    Column("provider", String(80), nullable=False),
    Column("account", String(120), nullable=False),
    Column("caller", String(200), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    # Held while the job is unfinished: a second job for the same caller and fingerprint cannot be written beside it.
    Column("claim", String(64), unique=True),
    Column("request", Document, nullable=False),
    Column("notes", Document, nullable=False),
    Column("finish", Document(none_as_null=True)),
    Column("cost", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("detail", Document, nullable=False),
    Column("finished", Boolean, nullable=False),
    # The process that sends the submit; while it lives, a job without an answer is not given up.
    Column("process", String(80), nullable=False),
    # Until then somebody waits for it in a process that does not look after its account.
    Column("attended_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("deadline", UtcTime, nullable=False),
    # What was known of its price; a process of an earlier version leaves it out.
    Column("quote", Document(none_as_null=True)),
    Index("jobs_unfinished", "finished", "account"),
    Index("jobs_recent", "created_at"),
    Index("jobs_of_caller", "caller", "created_at"),
    Index("jobs_unfinished_of_caller", "finished", "caller"),
)

spending: Table = Table(
    # Rows of their own: what was spent today is counted without reading jobs.
    "spending",
    metadata,
    Column("job_id", String(40), primary_key=True),
    Column("account", String(120), nullable=False),
    Column("day", String(10), nullable=False),
    Column("pictures", Integer, nullable=False),
    # Whose job it was; a process of an earlier version leaves it out.
    Column("caller", String(200)),
    # What it costs, in millionths of its currency; nothing where nobody knows, as for jobs of an earlier version.
    Column("cost_micros", BigInteger),
    # Nothing beside a cost of 0.
    Column("currency", String(3)),
    Column("is_estimate", Boolean),
    # All that a day's sums need: a busy day is counted without reading its rows.
    Index("spending_of_day", "day", "account", "caller", "pictures", "currency", "cost_micros"),
)

durations: Table = Table(
    "durations",
    metadata,
    Column("account", String(120), primary_key=True),
    Column("capability", String(80), primary_key=True),
    Column("samples_s", JSON, nullable=False),
)

audit_lines: Table = Table(
    # Lines for the audit log: written with the spending itself, and deleted as soon as they are in the file.
    "audit_lines",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # Who is to write it; once it has lain here for a while, anybody.
    Column("process", String(80), nullable=False),
    Column("written_at", UtcTime, nullable=False),
    Column("line", Document, nullable=False),
    # Else an id would come again, once the line with the highest one is deleted.
    sqlite_autoincrement=True,
)

owners: Table = Table(
    # Who looks after an account, where that is a session's lock and not a file's; the epoch counts the take-overs.
    "owners",
    metadata,
    Column("account", String(120), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("process", String(80), nullable=False),
)

schema: Table = Table(
    "schema_version",
    metadata,
    Column("version", Integer, nullable=False),
    # The oldest version of Atelier that can work with the tables as they are: see ``schema_version``.
    Column("oldest_reader", Integer, nullable=False, server_default="1"),
)
