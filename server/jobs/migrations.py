"""From any earlier ledger to today's, step by step, inside one transaction.

A new ledger is made as ``tables`` says and marked with the newest version; an older one takes the steps it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select, text, update

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.tables import metadata, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

FIRST_VERSION: Final = 1


def _add_finish(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE jobs ADD COLUMN finish JSON"))


STEPS: Sequence[Callable[[Connection], None]] = (_add_finish,)
"""Step ``n`` leads from version ``n + 1`` to ``n + 2``."""


def migrate(connection: Connection, *, steps: Sequence[Callable[[Connection], None]] = STEPS) -> None:
    """Bring the ledger to the newest version. Raises ``ConfigurationError`` for one from a newer Atelier."""
    newest = FIRST_VERSION + len(steps)
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=newest))
        return
    # Inside the lock of ``open_database``: two processes cannot take the same step.
    version = connection.scalars(select(schema.c.version)).one()
    check_version(version, newest=newest)
    for step in steps[version - FIRST_VERSION :]:
        step(connection)
    if version != newest:
        connection.execute(update(schema).values(version=newest))


def check_version(version: int, *, newest: int = FIRST_VERSION + len(STEPS)) -> None:
    """Raise ``ConfigurationError`` for a ledger from a newer Atelier."""
    if version > newest:
        raise ConfigurationError(
            f"The ledger was written by a newer Atelier (version {version} of it, this one knows {newest}).",
            hint="Upgrade atelier-mcp, or point ATELIER_HOME at another folder.",
        )
