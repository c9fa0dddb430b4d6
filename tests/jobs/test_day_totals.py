"""The sums of a day's spending are what adding it up gives, whoever wrote it, and however."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from atelier_mcp.server.jobs.database import open_database
from tests.support.ledger_places import create_plain_engine, execute_behind, take_back_to_version_7

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tests.support.postgres import PostgresServer

DAYS = ("2026-11-27", "2026-11-28")
ACCOUNTS = ("mhapi:1", "openai:2")
CALLERS = ("alice", "bob", None)
COSTS = ((None, None), (0, None), (40_000, "USD"), (125_000, "EUR"))
WRITES = 400
INSERT = """INSERT INTO spending (job_id, account, day, pictures, caller, cost_micros, currency)
VALUES (:job_id, :account, :day, :pictures, :caller, :cost_micros, :currency)"""
SETTLE = """UPDATE spending SET pictures = :pictures, cost_micros = :cost_micros, currency = :currency
WHERE job_id = :of"""
MOVE = "UPDATE spending SET caller = :caller, day = :new WHERE day = :old"
PLAIN_SUMS = """SELECT day, account, coalesce(caller, ''), coalesce(currency, ''), sum(pictures),
sum(coalesce(cost_micros, 0)) FROM spending GROUP BY 1, 2, 3, 4"""
TOTALS = "SELECT day, account, caller, currency, sum(pictures), sum(cost_micros) FROM day_totals GROUP BY 1, 2, 3, 4"


def draw_row(rng: Random, number: int) -> dict[str, Any]:
    """What some job spends."""
    cost_micros, currency = rng.choice(COSTS)
    return {
        "job_id": f"job_{number}",
        "account": rng.choice(ACCOUNTS),
        "day": rng.choice(DAYS),
        "pictures": rng.randrange(5),
        "caller": rng.choice(CALLERS),
        "cost_micros": cost_micros,
        "currency": currency,
    }


def read_sums(connection: Connection, statement: str) -> dict[tuple[str, ...], tuple[int, int]]:
    """Pictures and millionths by day, account, caller and currency, without what is nothing."""
    rows = connection.execute(text(statement))
    sums = {tuple(map(str, key)): (int(pictures), int(cost)) for *key, pictures, cost in rows}
    return {key: pair for key, pair in sums.items() if pair != (0, 0)}


def test_whatever_is_written_the_sums_are_those_of_the_rows(ledger_url: str) -> None:
    """Also what comes in several rows of one statement, changes its day or its caller, or is deleted."""
    open_database(ledger_url).close()
    engine, rng = create_plain_engine(ledger_url), Random(8)
    for number in range(WRITES):
        with engine.begin() as connection:
            match rng.randrange(8):
                case 0 | 1 | 2:
                    connection.execute(text(INSERT), draw_row(rng, number))
                case 3:
                    rows = [draw_row(rng, WRITES * index + number) for index in range(1, 4)]
                    connection.execute(text(INSERT), rows)
                case 4:
                    changes = {**draw_row(rng, 0), "of": f"job_{rng.randrange(number + 1)}"}
                    connection.execute(text(SETTLE), changes)
                case 5:
                    changes = {"caller": rng.choice(CALLERS), "old": rng.choice(DAYS), "new": rng.choice(DAYS)}
                    connection.execute(text(MOVE), changes)
                case 6:
                    connection.execute(text("DELETE FROM spending WHERE pictures = :n"), {"n": rng.randrange(5)})
                case _:
                    connection.execute(text(INSERT), draw_row(rng, number))
                    connection.rollback()
    with engine.begin() as connection:
        assert read_sums(connection, TOTALS) == read_sums(connection, PLAIN_SUMS) != {}
    engine.dispose()


def test_what_was_spent_before_there_were_sums_is_in_them(ledger_url: str) -> None:
    open_database(ledger_url).close()
    take_back_to_version_7(ledger_url)
    engine, rng = create_plain_engine(ledger_url), Random(8)
    with engine.begin() as connection:
        connection.execute(text(INSERT), [draw_row(rng, number) for number in range(100)])
    open_database(ledger_url).close()
    with engine.begin() as connection:
        assert read_sums(connection, TOTALS) == read_sums(connection, PLAIN_SUMS) != {}
    engine.dispose()


def test_limits_count_what_a_server_of_an_earlier_version_writes(ledger_url: str) -> None:
    """It knows neither callers nor prices, and nothing of the sums."""
    database = open_database(ledger_url)
    columns = "job_id, account, day, pictures"
    execute_behind(ledger_url, f"INSERT INTO spending ({columns}) VALUES ('job_1', 'mhapi:1', '{DAYS[0]}', 3)")
    assert database.read(lambda records: records.read_day_spending(DAYS)) == {(DAYS[0], "mhapi:1", ""): 3}
    assert database.read(lambda records: records.read_day_costs(DAYS)) == {}
    database.close()


def test_what_is_written_from_another_schema_counts_where_it_is_written(postgres: PostgresServer) -> None:
    """A ledger may have a schema of its own, and whoever writes into it by its full name has not."""
    url, other = postgres.create_ledger_url(), postgres.create_ledger_url()
    for one in (url, other):
        open_database(one).close()
    schema, columns = url.rpartition("%3D")[2], "job_id, account, day, pictures"
    execute_behind(other, f"INSERT INTO {schema}.spending ({columns}) VALUES ('job_1', 'mhapi:1', '{DAYS[0]}', 3)")
    assert execute_behind(url, "SELECT sum(pictures) FROM day_totals") == [(3,)]
    assert execute_behind(other, "SELECT sum(pictures) FROM day_totals") == [(None,)]


def test_servers_that_write_at_once_lose_nothing_of_the_sums(postgres: PostgresServer) -> None:
    """Each transaction writes to two accounts, every other one the other way round."""
    url = postgres.create_ledger_url()
    open_database(url).close()

    def write(writer: int) -> None:
        engine = create_plain_engine(url)
        accounts = ACCOUNTS if writer % 2 else ACCOUNTS[::-1]
        for number in range(20):
            rows = [
                {**draw_row(Random(number), 0), "job_id": f"{writer}_{number}_{account}", "account": account}
                for account in accounts
            ]
            assert any(insert_unless_deadlocked(engine, rows) for _ in range(50))
        engine.dispose()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    engine = create_plain_engine(url)
    with engine.begin() as connection:
        assert read_sums(connection, TOTALS) == read_sums(connection, PLAIN_SUMS)
        assert connection.scalar(text("SELECT count(*) FROM spending")) == 8 * 20 * len(ACCOUNTS)
    engine.dispose()


def insert_unless_deadlocked(engine: Engine, rows: list[dict[str, Any]]) -> bool:
    """False where two connections happened to share a row, and PostgreSQL undid one: the ledger, too, does it again."""
    try:
        with engine.begin() as connection:
            for row in rows:
                connection.execute(text(INSERT), row)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "40P01":
            raise
        return False
    return True
