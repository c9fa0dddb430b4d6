"""A ledger behind a real PgBouncer: in session mode it works, in transaction mode the server says what is wrong."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.jobs.model import Succeeded
from tests.jobs.doubles import ScriptedProvider, build_done, build_request, open_harness
from tests.support.pgbouncer import PGBOUNCER, run_pgbouncer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")

BOUND_S = 30.0


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """A database of its own: poolers take no options, and so no schema, from their clients."""
    name = f"pooled_{postgres.create_ledger_url().rpartition('_')[2]}"
    postgres.execute(f"CREATE DATABASE {name}")
    return name


def build_url(port: int, database: str) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}/{database}"


async def test_two_servers_work_together_through_a_pooler_in_session_mode(
    postgres: PostgresServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One owns the account, and whoever waits at the other hears of the end by a notification."""
    for module in ("poller", "account_poller"):
        monkeypatch.setattr(f"atelier_mcp.server.jobs.{module}.WATCH_INTERVAL_S", 60.0)
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    with run_pgbouncer(postgres.port, pool_mode="session") as port:
        url = build_url(port, database)
        check_ledger(url)
        async with AsyncExitStack() as stack, asyncio.timeout(BOUND_S):
            first, second = [
                await stack.enter_async_context(open_harness(tmp_path, provider, clock, seed=seed, ledger_url=url))
                for seed in (1, 2)
            ]
            job = (await first.submitter.start(build_request("a red kite"), caller="me")).job
            first.poller.wake_for_waiters([job.id])
            while not provider.polls:
                await asyncio.sleep(0.01)
            waiting = asyncio.create_task(second.jobs.wait([job.id], wait_s=60))
            provider.snapshots["task-1"] = build_done("a.png")
            (ended,) = await waiting
            assert isinstance(ended.state, Succeeded)
            epochs = [await one.ownership.try_acquire(provider.account) for one in (first, second)]
            assert len([epoch for epoch in epochs if epoch is not None]) == 1


def test_a_pooler_in_transaction_mode_is_told_in_one_sentence(postgres: PostgresServer, database: str) -> None:
    """Its sessions are shared, and with them every lock."""
    with (
        run_pgbouncer(postgres.port, pool_mode="transaction") as port,
        pytest.raises(ConfigurationError, match="pooler in transaction mode") as caught,
    ):
        check_ledger(build_url(port, database))
    assert "\n" not in str(caught.value)


def test_a_schema_in_the_url_is_refused_by_the_pooler_in_its_own_words(postgres: PostgresServer) -> None:
    """It takes no options from its clients; the user or the database can have a search path instead."""
    url = postgres.create_ledger_url()
    with (
        run_pgbouncer(postgres.port, pool_mode="session") as port,
        pytest.raises(ConfigurationError, match="unsupported startup parameter") as caught,
    ):
        check_ledger(url.replace(f":{postgres.port}/", f":{port}/"))
    assert "\n" not in str(caught.value)
