"""From any earlier ledger to today's, step by step, inside one transaction.

A new ledger is made as ``tables`` says and marked with the newest version; an older one takes the steps it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select, text, update

from atelier_mcp.server.jobs.ledger_check import check_version
from atelier_mcp.server.jobs.tables import metadata, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

FIRST_VERSION: Final = 1


def _add_finish(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE jobs ADD COLUMN finish JSON"))


AWS_CAPABILITIES: Final = (
    "add_checkpoint", "create_aws_dataset", "create_training", "create_training_base", "deploy_endpoint",
    "merge_models", "start_training",
)  # fmt: skip
"""The names, as they were, of what makes jobs at Stable Diffusion on AWS."""


def _rename_aws_capabilities(connection: Connection) -> None:
    """Their tools begin with aws_ now; an upload on its way is known by its capability."""
    for name in AWS_CAPABILITIES:
        names = {"old": name, "new": f"aws_{name.replace('aws_', '')}"}
        connection.execute(text("UPDATE jobs SET capability = :new WHERE capability = :old"), names)


def _add_callers(connection: Connection) -> None:
    """Jobs are listed, and spending is summed, for each caller."""
    connection.execute(text("CREATE INDEX jobs_of_caller ON jobs (caller, created_at)"))
    connection.execute(text("ALTER TABLE spending ADD COLUMN caller VARCHAR(200)"))
    connection.execute(
        text("UPDATE spending SET caller = (SELECT jobs.caller FROM jobs WHERE jobs.id = spending.job_id)")
    )


STEPS: Sequence[Callable[[Connection], None]] = (_add_finish, _rename_aws_capabilities, _add_callers)
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
