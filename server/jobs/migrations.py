"""From any earlier ledger to today's, step by step, inside one transaction.

A new ledger is made as ``tables`` says and marked with the newest version; an older one takes the steps it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select, text, update

from atelier_mcp.server.jobs.day_totals import FILL, day_totals
from atelier_mcp.server.jobs.schema_version import OLDEST_READER, check_version
from atelier_mcp.server.jobs.tables import audit_lines, metadata, owners, schema

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


def _prepare_for_replicas(connection: Connection) -> None:
    """Versions before this one do not ask for the oldest reader: they refuse whatever is newer than themselves."""
    connection.execute(text("ALTER TABLE schema_version ADD COLUMN oldest_reader INTEGER NOT NULL DEFAULT 1"))
    owners.create(connection, checkfirst=True)


def _add_money(connection: Connection) -> None:
    """What jobs cost, and the audit log's lines.

    Only added: servers of the version before go on. What those write has no price, which counts as unknown; what they
    settle keeps the cost that was reserved.
    """
    connection.execute(text("ALTER TABLE jobs ADD COLUMN quote JSON"))
    for column in ("cost_micros BIGINT", "currency VARCHAR(3)", "is_estimate BOOLEAN"):
        connection.execute(text(f"ALTER TABLE spending ADD COLUMN {column}"))
    audit_lines.create(connection, checkfirst=True)


def _index_what_budgets_count(connection: Connection) -> None:
    """A caller's unfinished jobs, and what was spent on a day: counted at every start of a job."""
    connection.execute(text("CREATE INDEX jobs_unfinished_of_caller ON jobs (finished, caller)"))
    columns = "day, account, caller, pictures, currency, cost_micros"
    connection.execute(text(f"CREATE INDEX spending_of_day ON spending ({columns})"))
    connection.execute(text("DROP INDEX spending_by_day"))


def _sum_up_days(connection: Connection) -> None:
    """Sums that the database keeps from now on, also of what servers of the version before write.

    Making the triggers locks ``spending`` against writers, so that nothing is counted twice or not at all.
    """
    day_totals.create(connection, checkfirst=True)
    connection.execute(text(FILL))


STEPS: Sequence[Callable[[Connection], None]] = (
    _add_finish,
    _rename_aws_capabilities,
    _add_callers,
    _prepare_for_replicas,
    _add_money,
    _index_what_budgets_count,
    _sum_up_days,
)
"""Step ``n`` leads from version ``n + 1`` to ``n + 2``."""


def migrate(connection: Connection, *, steps: Sequence[Callable[[Connection], None]] = STEPS) -> None:
    """Bring the ledger to the newest version, unless it is there or further already.

    The caller holds a lock, so that two processes cannot take the same step. Raises ``ConfigurationError`` for a ledger
    from an Atelier that is too new.
    """
    newest = FIRST_VERSION + len(steps)
    versions = {"version": newest, "oldest_reader": min(OLDEST_READER, newest)}
    if not inspect(connection).has_table(schema.name):
        metadata.create_all(connection)
        connection.execute(schema.insert().values(versions))
        return
    version = connection.scalars(select(schema.c.version)).one()
    if _has_oldest_reader(connection):
        check_version(version, oldest_reader=connection.scalars(select(schema.c.oldest_reader)).one(), newest=newest)
    for step in steps[version - FIRST_VERSION :]:
        step(connection)
    if version < newest:
        values = versions if _has_oldest_reader(connection) else {"version": newest}
        connection.execute(update(schema).values(values))


def _has_oldest_reader(connection: Connection) -> bool:
    return any(column["name"] == schema.c.oldest_reader.name for column in inspect(connection).get_columns(schema.name))
