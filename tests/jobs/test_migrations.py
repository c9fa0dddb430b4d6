"""Ledgers of every age open, and SQLite ones are durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, create_engine, make_url, select, text

from atelier_mcp.server.jobs.database import open_database
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.jobs.migrations import FIRST_VERSION, STEPS, migrate
from atelier_mcp.server.jobs.schema_version import NEWEST_VERSION
from atelier_mcp.server.jobs.sqlite import create_sqlite_engine
from atelier_mcp.server.jobs.tables import schema
from tests.support.ledger_places import execute_behind, take_back_to_version_4

if TYPE_CHECKING:
    from pathlib import Path


def add_colour(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE jobs ADD COLUMN colour TEXT"))


def test_the_first_look_at_a_ledger_knows_where_the_steps_lead() -> None:
    """It must not load them."""
    assert FIRST_VERSION + len(STEPS) == NEWEST_VERSION


def test_an_older_ledger_takes_the_steps_it_lacks_and_only_once(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    for steps in ((), (add_colour,), (add_colour,)):
        with engine.begin() as connection:
            migrate(connection, steps=steps)
    with engine.begin() as connection:
        assert connection.scalars(select(schema.c.version)).all() == [2]
        assert connection.execute(text("SELECT colour FROM jobs")).all() == []
    engine.dispose()


def test_uploads_on_their_way_are_known_by_the_new_names_of_their_tools(tmp_path: Path) -> None:
    """From the second version to the third; a job of another service keeps its name."""
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.begin() as connection:
        migrate(connection, steps=STEPS[:1])
        connection.execute(text("DROP TABLE jobs"))
        connection.execute(text("CREATE TABLE jobs (capability TEXT)"))
        connection.execute(text("INSERT INTO jobs VALUES ('add_checkpoint'), ('create_aws_dataset'), ('train_lora')"))
        migrate(connection, steps=STEPS[:2])
        names = connection.execute(text("SELECT capability FROM jobs")).scalars().all()
    assert names == ["aws_add_checkpoint", "aws_create_dataset", "train_lora"]
    engine.dispose()


def test_what_was_spent_before_is_known_by_whose_job_it_was(tmp_path: Path) -> None:
    """From the third version on; a job that was deleted leaves its spending to nobody."""
    engine = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with engine.begin() as connection:
        migrate(connection, steps=STEPS[:2])
        for table, columns in (("jobs", "id TEXT, caller TEXT, created_at TEXT"), ("spending", "job_id TEXT")):
            connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text(f"CREATE TABLE {table} ({columns})"))
        connection.execute(text("INSERT INTO jobs VALUES ('job_1', 'static:alice', '')"))
        connection.execute(text("INSERT INTO spending VALUES ('job_1'), ('job_2')"))
        migrate(connection, steps=STEPS[:3])
        callers = connection.execute(text("SELECT caller FROM spending ORDER BY job_id")).scalars().all()
    assert callers == ["static:alice", None]
    engine.dispose()


def test_a_ledger_of_the_last_version_without_an_oldest_reader_becomes_like_a_new_one(ledger_url: str) -> None:
    open_database(ledger_url).close()
    new = execute_behind(ledger_url, "SELECT * FROM schema_version")
    take_back_to_version_4(ledger_url)
    open_database(ledger_url).close()
    assert execute_behind(ledger_url, "SELECT * FROM schema_version") == new


def test_a_ledger_of_a_newer_version_that_this_one_can_read_is_left_as_it_is(ledger_url: str) -> None:
    """Servers of two versions share it while they are replaced one after the other."""
    open_database(ledger_url).close()
    execute_behind(ledger_url, "UPDATE schema_version SET version = 99")
    check_ledger(ledger_url)
    open_database(ledger_url).close()
    assert execute_behind(ledger_url, "SELECT version FROM schema_version") == [(99,)]


def test_a_sqlite_ledger_flushes_every_commit_and_lets_readers_in(tmp_path: Path) -> None:
    engine = create_sqlite_engine(make_url(f"sqlite:///{tmp_path / 'ledger.db'}"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()
