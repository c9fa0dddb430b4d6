"""A first look at a ledger in PostgreSQL: whether it can be reached, is ours, and lends us sessions of our own.

Loads the driver alone, so that a start which must fail fails soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs import postgres_connection
from atelier_mcp.server.jobs.schema_version import check_version

if TYPE_CHECKING:
    from psycopg import Connection

    from atelier_mcp.server.clock import Clock

_SCHEMA_COLUMNS: Final = """
SELECT array_agg(attname::text) FROM pg_attribute
WHERE attrelid = to_regclass('schema_version') AND attnum > 0 AND NOT attisdropped"""
_OTHER_TABLES: Final = (
    "SELECT to_regclass(name)::text FROM unnest(ARRAY['jobs', 'spending', 'durations', 'owners', 'day_totals']) AS name"
)

_WITHHELD_TABLES: Final = """
SELECT name FROM unnest(ARRAY['jobs', 'spending', 'durations', 'owners', 'audit_lines', 'day_totals']) AS name
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), 'SELECT')"""


def check_postgres(url: str) -> None:
    """Raise ``ConfigurationError``, in one sentence, for a ledger that cannot be used. Blocks; makes nothing."""
    try:
        with (
            postgres_connection.connect(url, autocommit=True) as first,
            postgres_connection.connect(url, autocommit=True) as second,
        ):
            check_server(first)
            check_sessions(first, second)
            check_tables(first)
    except postgres_connection.DriverError as err:
        raise postgres_connection.build_connection_error(url, err) from err


def measure_clock_offset_s(url: str, clock: Clock) -> float:
    """How far the database's time of day is ahead of ``clock``, in seconds; right to half of the way there and back.

    Raises ``ConfigurationError`` where it cannot be asked. Blocks.
    """
    try:
        with postgres_connection.connect(url, autocommit=True) as connection:
            connection.execute("SELECT 1")  # the first answer of a connection takes longer
            before = clock.now()
            (there,) = connection.execute("SELECT clock_timestamp()").fetchone() or (before,)
            after = clock.now()
    except postgres_connection.DriverError as err:
        raise postgres_connection.build_connection_error(url, err) from err
    return (there - (before + (after - before) / 2)).total_seconds()


def check_server(connection: Connection[Any]) -> None:
    """Raise ``ConfigurationError`` for a PostgreSQL that is too old."""
    version = connection.info.server_version // 10_000
    if version < postgres_connection.OLDEST_SERVER:
        raise ConfigurationError(
            f"The ledger needs PostgreSQL {postgres_connection.OLDEST_SERVER} or later; this one is {version}."
        )


def check_sessions(first: Connection[Any], second: Connection[Any]) -> None:
    """Raise ``ConfigurationError`` where two connections turn out to be one session.

    A pooler in transaction mode lends its sessions out by the transaction. Locks of a session, which say who looks
    after an account, and notifications, which wake whoever waits, mean nothing there.
    """
    (own,) = first.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    with second.transaction():
        (other,) = second.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    if own == other:
        raise ConfigurationError(
            "ATELIER_DATABASE_URL leads to a pooler in transaction mode, which loses locks and notifications: set its "
            "pool_mode to session, or name the PostgreSQL itself."
        )


def check_tables(connection: Connection[Any]) -> None:
    """Raise ``ConfigurationError`` for tables of somebody else, or of a newer Atelier."""
    (columns,) = connection.execute(_SCHEMA_COLUMNS).fetchone() or (None,)
    if columns is None:
        found = [name for (name,) in connection.execute(_OTHER_TABLES) if name is not None]
        if found:
            raise _build_foreign_tables_error(", ".join(found))
        return
    if "version" not in columns:
        raise _build_foreign_tables_error("schema_version")
    withheld = [name for (name,) in connection.execute(_WITHHELD_TABLES)]
    if withheld:
        raise ConfigurationError(
            f"The role of ATELIER_DATABASE_URL may not read {', '.join(withheld)}: grant it SELECT, INSERT, UPDATE and "
            "DELETE on all tables of the ledger."
        )
    if "oldest_reader" in columns:
        row = connection.execute("SELECT version, oldest_reader FROM schema_version").fetchone()
        if row is not None:
            check_version(row[0], oldest_reader=row[1])


def _build_foreign_tables_error(names: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database of ATELIER_DATABASE_URL holds tables of another program under the ledger's names ({names}): "
        "give the ledger a database of its own, or a schema (?options=-csearch_path%3Datelier)."
    )
