"""What is PostgreSQL's own about a ledger: what is told where it cannot be, and what a lost server undoes.

What every ledger promises is in ``test_ledger``, which runs on PostgreSQL as well.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from atelier_mcp.server.cli.doctor.disk import check_clock, check_ledger_opens
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import ConfigurationError, StorageUnavailable
from atelier_mcp.server.jobs.budget import Spending
from atelier_mcp.server.jobs.database import open_database
from atelier_mcp.server.jobs.job_opening import compute_claim
from atelier_mcp.server.jobs.ledger import Ledger, open_ledger
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.jobs.model import Failed, Queued, Submitting
from atelier_mcp.server.settings import load_settings
from tests.jobs.doubles import read_spending
from tests.jobs.test_ledger import TASK, build_job, open_job
from tests.support.clock import AutoAdvanceClock, ManualClock
from tests.support.ledger_places import create_plain_engine, execute_behind
from tests.support.postgres_proxies import AnswerLoser, TransactionPooler, listen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from pathlib import Path

    from atelier_mcp.server.settings import Settings
    from tests.support.postgres import PostgresServer

PASSWORD = "s%25cr%40t-of-mine"


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """A ledger in PostgreSQL."""
    url = postgres.create_ledger_url()
    open_database(url).close()
    return url


@pytest.fixture
async def ledger(url: str, clock: ManualClock) -> AsyncGenerator[Ledger]:
    async with open_ledger(url, clock=clock) as opened:
        yield opened


def move_port(url: str, port: int) -> str:
    head, _, tail = url.rpartition(":")
    return f"{head}:{port}/{tail.partition('/')[2]}"


async def test_servers_that_start_at_once_on_an_empty_database_make_its_tables_once(
    postgres: PostgresServer, clock: ManualClock
) -> None:
    url = postgres.create_ledger_url()
    ledgers = [Ledger(url, clock=clock) for _ in range(4)]
    assert await asyncio.gather(*(one.list_unfinished("a:1") for one in ledgers)) == [[]] * 4
    for one in ledgers:
        await one.close()
    assert len(execute_behind(url, "SELECT * FROM schema_version")) == 1


async def test_an_older_server_goes_on_beside_a_newer_one_whose_tables_it_can_use(ledger: Ledger, url: str) -> None:
    """Replicas are replaced one after the other."""
    await ledger.list_unfinished("a:1")
    execute_behind(url, "UPDATE schema_version SET version = 99", "ALTER TABLE jobs ADD COLUMN colour TEXT")
    async with open_ledger(url, clock=ManualClock()) as older:
        job = await open_job(older, build_job("1"))
        assert await ledger.get([job.id]) == [job]


# Where it cannot be


@pytest.fixture(params=["first look", "ledger"])
def look(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """The two doors at which a ledger that cannot be used is refused: at the start, and with the first call."""

    async def open_and_read(url: str) -> None:
        async with open_ledger(url, clock=ManualClock()) as ledger:
            await ledger.list_unfinished("a:1")

    def read_ledger(url: str) -> None:
        asyncio.run(open_and_read(url))

    def take_first_look(url: str) -> None:
        check_ledger(url)

    return take_first_look if request.param == "first look" else read_ledger


def expect_refusal(look: Callable[[str], None], url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refusal:
        look(url)
    assert len(str(refusal.value).splitlines()) == 1
    assert PASSWORD not in str(refusal.value)
    assert "cr@t" not in str(refusal.value)


def test_a_server_that_does_not_run_is_named(look: Callable[[str], None], unused_port: int) -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:{unused_port}/atelier"
    expect_refusal(look, url, rf"PostgreSQL at 127\.0\.0\.1:{unused_port}, database atelier\): .*refused")


def test_a_host_that_is_none_is_named(look: Callable[[str], None]) -> None:
    expect_refusal(look, f"postgresql://me:{PASSWORD}@nowhere.invalid/atelier", r"nowhere\.invalid")


def test_a_database_that_is_not_there_is_named(look: Callable[[str], None], postgres: PostgresServer) -> None:
    expect_refusal(look, postgres.build_url("nothing"), 'database "nothing" does not exist')


def test_a_password_that_is_wrong_is_not_repeated(look: Callable[[str], None], strict_url: str) -> None:
    expect_refusal(look, strict_url.replace("right", PASSWORD), "does not accept the user's password")


def test_a_password_that_is_missing_is_asked_for(look: Callable[[str], None], strict_url: str) -> None:
    expect_refusal(look, strict_url.replace(":right", ""), "asks for a password")


@pytest.mark.parametrize("wrong", ["postgresql://me:s%25cr%4t-of-mine@h/x", "postgresql://h/x?colour=red"])
def test_a_url_that_cannot_be_read_is_not_repeated(look: Callable[[str], None], wrong: str) -> None:
    expect_refusal(look, wrong, "no URL of a PostgreSQL")


def test_a_driver_that_is_not_installed_is_asked_for(tmp_path: Path) -> None:
    """In a line, at the start; everything else of the program works without it."""
    script = (
        "import sys; sys.modules['psycopg'] = None; sys.argv[1:] = ['serve'];"
        "from atelier_mcp.server.__main__ import main; sys.exit(main())"
    )
    environ = {**os.environ, "ATELIER_HOME": str(tmp_path), "ATELIER_DATABASE_URL": "postgresql://h/x"}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "driver is not installed" in line
    assert "atelier-mcp[postgres]" in line


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE jobs (id int)", "CREATE TABLE schema_version (number int)"], ids=["jobs", "versions"]
)
def test_tables_of_another_program_are_left_alone(
    look: Callable[[str], None], postgres: PostgresServer, statement: str
) -> None:
    url = postgres.create_ledger_url()
    execute_behind(url, statement)
    expect_refusal(look, url, "tables of another program")


def test_a_ledger_of_a_newer_atelier_is_left_alone(look: Callable[[str], None], url: str) -> None:
    execute_behind(url, "UPDATE schema_version SET version = 99, oldest_reader = 99")
    expect_refusal(look, url, "written by a newer Atelier")


def test_a_user_who_may_make_no_tables_is_told_so(postgres: PostgresServer) -> None:
    execute_behind(postgres.build_url(), "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN")
    with pytest.raises(ConfigurationError, match="permission denied for schema public"):
        asyncio.run(read_once(postgres.build_url(user="reader")))


async def read_once(url: str) -> None:
    async with open_ledger(url, clock=ManualClock()) as ledger:
        await ledger.list_unfinished("a:1")


def test_a_pooler_in_transaction_mode_is_refused(
    look: Callable[[str], None], url: str, postgres: PostgresServer
) -> None:
    """Behind one, two servers would both own an account."""
    with listen(TransactionPooler(postgres.port)) as port:
        expect_refusal(look, move_port(url, port), "pooler in transaction mode")


# What is lost on the way


async def test_a_job_that_another_server_is_just_writing_is_joined_and_spends_once(
    ledger: Ledger, url: str, postgres: PostgresServer
) -> None:
    first = await open_job(ledger, build_job("1", cost=3), fingerprint="f")
    engine = create_plain_engine(url)
    with engine.begin() as connection:
        # Of the same request as the second one from now on, which is not seen before the commit.
        claim = {"claim": compute_claim(first.caller, "g"), "id": first.id}
        connection.execute(text("UPDATE jobs SET claim = :claim WHERE id = :id"), claim)
        opening = asyncio.create_task(open_job(ledger, build_job("2", cost=5), fingerprint="g"))
        async with asyncio.timeout(5):
            while not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
                await asyncio.sleep(0.01)
    assert (await opening).id == first.id
    assert read_spending(url, "a:1") == Spending(3, 3)
    engine.dispose()


async def test_a_job_whose_commit_was_not_answered_is_opened_once_and_is_ones_own(
    url: str, postgres: PostgresServer, clock: ManualClock
) -> None:
    loser = AnswerLoser(postgres.port)
    with listen(loser) as port:
        async with open_ledger(move_port(url, port), clock=clock) as ledger:
            await ledger.list_unfinished("a:1")
            loser.lose_next()
            job = await open_job(ledger, build_job("1", cost=3))
            assert loser.lost_count == 1
            assert job == build_job("1", cost=3)
            assert await ledger.list_unfinished("a:1") == [job]
    assert read_spending(url, "a:1") == Spending(3, 3)


async def test_a_job_that_its_caller_was_told_is_not_written_is_given_up_and_paid_back(
    url: str, postgres: PostgresServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in the ledger, since only the answer was lost; its like must not wait for it."""
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres._REPEAT_FOR_S", 0.0)
    loser = AnswerLoser(postgres.port)
    with listen(loser) as port:
        async with open_ledger(move_port(url, port), clock=clock) as ledger:
            await ledger.list_unfinished("a:1")
            loser.lose_next()
            with pytest.raises(StorageUnavailable):
                await open_job(ledger, build_job("1", cost=3), fingerprint="f")
            await ledger.list_unfinished("a:1")
            second = await open_job(ledger, build_job("2", cost=1), fingerprint="f")
            assert second.id == "job_2"
            (first,) = await ledger.find([build_job("1").id])
            assert isinstance(first.state, Failed)
            assert first.state.spent == "Nothing was spent."
    assert read_spending(url, "a:1") == Spending(1, 1)


async def test_writes_and_reads_go_on_after_the_server_was_killed_and_started_again(
    own_postgres: PostgresServer, clock: ManualClock
) -> None:
    async with open_ledger(own_postgres.create_ledger_url(), clock=clock) as ledger:
        job = await open_job(ledger, build_job("1"))
        own_postgres.kill()
        moving = asyncio.create_task(ledger.move(job.id, Queued(TASK)))
        reading = asyncio.create_task(ledger.get([job.id]))
        await asyncio.to_thread(own_postgres.start)
        assert (await moving).state == Queued(TASK)
        assert [found.id for found in await reading] == [job.id]


async def test_a_value_that_python_cannot_hold_does_not_hide_the_other_jobs(ledger: Ledger, url: str) -> None:
    jobs = [await open_job(ledger, build_job(str(n))) for n in range(6)]
    execute_behind(
        url,
        "UPDATE jobs SET deadline = 'infinity' WHERE id = 'job_0'",
        "UPDATE jobs SET created_at = '20000-01-01' WHERE id = 'job_1'",
        f"UPDATE jobs SET request = '{'9' * 5000}' WHERE id = 'job_2'",
        "UPDATE jobs SET notes = '{}', state = 'asleep' WHERE id = 'job_3'",
        "UPDATE jobs SET detail = 'null' WHERE id = 'job_4'",
    )
    found = await ledger.get([job.id for job in jobs])
    assert [isinstance(job.state, Failed) for job in found[:4]] == [True] * 4
    assert found[5] == jobs[5]
    assert isinstance(found[5].state, Submitting)


@pytest.fixture
def strict_url(postgres: PostgresServer) -> Generator[str]:
    """A database whose user has the password ``right``."""
    execute_behind(
        postgres.build_url(), "DROP ROLE IF EXISTS strict", "CREATE ROLE strict LOGIN SUPERUSER PASSWORD 'right'"
    )
    with postgres.require_password("strict"):
        yield postgres.build_url(user="strict", password="right")


@pytest.fixture
def unused_port() -> int:
    """A port of loopback at which nothing listens."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# What the doctor says


def read_settings(url: str, tmp_path: Path) -> Settings:
    return load_settings({"ATELIER_HOME": str(tmp_path), "ATELIER_DATABASE_URL": url})


def test_the_doctor_tells_where_the_ledger_is_without_the_password(strict_url: str, tmp_path: Path) -> None:
    finding = check_ledger_opens(read_settings(strict_url, tmp_path))
    assert finding.good
    assert finding.words.startswith("PostgreSQL at 127.0.0.1:")
    assert finding.words.endswith("opens, no unfinished jobs")
    assert "right" not in finding.words


def test_the_doctor_compares_the_clocks(url: str, tmp_path: Path) -> None:
    """Two servers whose days differ would not share a budget."""
    settings = read_settings(url, tmp_path)
    (right,) = check_clock(settings, clock=SystemClock())
    assert right.good
    (wrong,) = check_clock(settings, clock=AutoAdvanceClock(datetime.now(UTC) - timedelta(hours=1)))
    assert wrong.good is False
    assert "behind" in wrong.words


def test_a_role_that_may_not_read_a_table_is_told_which(url: str, postgres: PostgresServer) -> None:
    """Another role has brought the tables up to date, and granted what there was before."""
    schema = url.rpartition("%3D")[2]
    for statement in (
        "CREATE ROLE earlier LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO earlier",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO earlier",
        f"REVOKE ALL ON {schema}.day_totals FROM earlier",
    ):
        postgres.execute(statement)
    limited = url.replace("//postgres@", "//earlier@")
    with pytest.raises(ConfigurationError, match="may not read day_totals: grant it SELECT"):
        check_ledger(limited)
    # What a server of that version writes is counted all the same.
    columns = "job_id, account, day, pictures"
    execute_behind(limited, f"INSERT INTO spending ({columns}) VALUES ('job_1', 'mhapi:1', '2026-11-28', 3)")
    assert execute_behind(url, "SELECT sum(pictures) FROM day_totals") == [(3,)]
