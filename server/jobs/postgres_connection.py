"""How a connection to PostgreSQL is made, and in which words one that cannot be made is told.

The settings of a session are sent as statements after it was opened, not as options of the connection: poolers refuse
those. Nothing here loads SQLAlchemy.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ConfigurationError

try:
    import psycopg
except ImportError as _missing:
    raise ConfigurationError(
        "ATELIER_DATABASE_URL names a PostgreSQL, and its driver is not installed: install atelier-mcp[postgres]."
    ) from _missing
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import set_json_loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from psycopg.abc import Buffer

DriverError = psycopg.Error
OLDEST_SERVER: Final = 14
_DEFAULTS: Final = {
    "application_name": "atelier",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    # A cut network is noticed after some fifteen seconds; the kernel's own time is a quarter of an hour.
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
"""What holds where the URL says nothing else."""
_SESSION: Final = {
    "timezone": "UTC",
    "statement_timeout": "20s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
}
_REASONS: Final = (
    ("password authentication failed", "it does not accept the user's password"),
    ("no password supplied", "it asks for a password, and the URL has none"),
)
"""Of the driver's words, which are long, what they mean."""


class _LenientTimestamptzLoader(TimestamptzLoader):
    """Reads a moment that Python has no word for, such as ``infinity``, as None: it must not hide the other rows."""

    def load(self, data: Buffer) -> datetime | None:  # type: ignore[override]
        try:
            return super().load(data)
        except (psycopg.DataError, ValueError):
            return None


def parse_url(url: str) -> Mapping[str, Any]:
    """The parameters of a connection. Raises ``ConfigurationError``, which repeats nothing: a URL may hold a password.

    ``url`` is ``postgresql://...`` as PostgreSQL's own programs take it, or with SQLAlchemy's name of a driver.
    """
    scheme, _, rest = url.partition("://")
    try:
        return _DEFAULTS | conninfo_to_dict(f"{scheme.partition('+')[0]}://{rest}")
    except psycopg.ProgrammingError:
        # From None: the driver's words repeat a part of the URL.
        raise ConfigurationError(
            "ATELIER_DATABASE_URL is no URL of a PostgreSQL: write postgresql://USER:PASSWORD@HOST:PORT/NAME, with "
            "each special character of the password as %XX."
        ) from None


def connect(
    url: str, *, session: Mapping[str, str] | None = None, autocommit: bool = False, **parameters: str
) -> psycopg.Connection[Any]:
    """A connection with the settings of the ledger; ``session`` and ``parameters`` add to them.

    Raises ``psycopg.Error`` where it cannot be made, and ``ConfigurationError`` for a URL that is none.
    """
    # A parameter of the caller's before one of the URL's: it is needed for what the connection is opened for.
    connection = psycopg.connect(make_conninfo(**{**parse_url(url), **parameters}), autocommit=True)
    settings = {**_SESSION, **(session or {})}
    try:
        connection.execute(sql.SQL("; ").join(_set(name, value) for name, value in settings.items()))
    except BaseException:
        connection.close()
        raise
    connection.adapters.register_loader("timestamptz", _LenientTimestamptzLoader)
    set_json_loads(_load_document, context=connection)
    connection.autocommit = autocommit
    return connection


def _set(name: str, value: str) -> sql.Composed:
    return sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))


def _load_document(document: str | bytes) -> Any:
    """JSON; what Python cannot read, such as a number of ten thousand digits, as its text: see ``tables.Document``."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return document if isinstance(document, str) else document.decode(errors="replace")


def describe_server(url: str) -> str:
    """Which server and database that is, for messages: no user, no password."""
    parameters = parse_url(url)
    host, port = parameters.get("host") or parameters.get("hostaddr"), parameters.get("port")
    place = f" at {host}{f':{port}' if port else ''}" if host else ""
    return f"PostgreSQL{place}, database {parameters.get('dbname') or 'of the user'}"


def build_connection_error(url: str, error: Exception) -> ConfigurationError:
    """One sentence for a server that cannot be reached or does not let us in."""
    # What a server says of a statement comes in parts; what is said of a connection is one text.
    reason = (isinstance(error, psycopg.Error) and error.diag.message_primary) or str(error)
    words = next((words for mark, words in _REASONS if mark in reason), None) or _extract_reason(reason)
    if password := str(parse_url(url).get("password") or ""):
        words = words.replace(password, "***")
    return ConfigurationError(f"The ledger of ATELIER_DATABASE_URL cannot be opened ({describe_server(url)}): {words}.")


def _extract_reason(text: str) -> str:
    """What is wrong, out of words such as ``connection to server at "::1", port 1 failed: FATAL:  no such role``."""
    lines = text.splitlines() or ["it does not answer"]
    # Of several addresses, the last that was tried.
    line = next((line for line in reversed(lines) if "failed: " in line), lines[0])
    return line.rpartition("failed: ")[2].removeprefix("FATAL:").strip().rstrip(".")
