"""What an agreement on accounts and living processes promises, by files and by PostgreSQL; and what is PostgreSQL's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import StorageUnavailable
from atelier_mcp.server.jobs.database import open_database
from atelier_mcp.server.jobs.ledger import open_ledger
from atelier_mcp.server.jobs.model import Failed
from atelier_mcp.server.jobs.ownership_choice import create_ownership
from atelier_mcp.server.jobs.postgres_ownership import PostgresOwnership
from tests.jobs.test_ledger import build_job, open_job
from tests.support.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from pathlib import Path

    from atelier_mcp.server.jobs.ownership import FileOwnership, Ownership
    from tests.support.postgres import PostgresServer


@pytest.fixture
def new_ownership(ledger_url: str, tmp_path: Path) -> Callable[[], FileOwnership | PostgresOwnership]:
    """The locks of one more process, beside each kind of ledger."""
    open_database(ledger_url).close()
    return lambda: create_ownership(ledger_url, locks_folder=tmp_path / "locks")


@pytest.fixture
async def two(
    new_ownership: Callable[[], FileOwnership | PostgresOwnership],
) -> AsyncGenerator[tuple[Ownership, Ownership]]:
    async with new_ownership() as first, new_ownership() as second:
        yield first, second


async def test_an_account_has_one_owner_at_a_time(two: tuple[Ownership, Ownership]) -> None:
    first, second = two
    epoch = await first.try_acquire("a:1")
    assert epoch is not None
    assert await first.try_acquire("a:1") == epoch
    assert await second.try_acquire("a:1") is None
    assert await second.try_acquire("b:1") is not None
    await first.release("a:1")
    assert await second.try_acquire("a:1") is not None
    assert await first.try_acquire("a:1") is None


async def test_a_process_counts_as_alive_until_it_ends(
    new_ownership: Callable[[], FileOwnership | PostgresOwnership],
) -> None:
    async with new_ownership() as watcher:
        async with new_ownership() as other:
            assert not await watcher.is_alive(other.process)
            await other.announce()
            await other.announce()
            assert await watcher.is_alive(other.process)
            assert await other.is_alive(other.process)
        assert not await watcher.is_alive(other.process)
        assert not await watcher.is_alive("never-there")


async def test_who_ends_leaves_its_accounts_to_others(
    new_ownership: Callable[[], FileOwnership | PostgresOwnership],
) -> None:
    async with new_ownership() as watcher:
        async with new_ownership() as other:
            assert await other.try_acquire("a:1") is not None
        assert await watcher.try_acquire("a:1") is not None


# A session can end while its process goes on


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    url = postgres.create_ledger_url()
    open_database(url).close()
    return url


@pytest.fixture
async def session(url: str) -> AsyncGenerator[PostgresOwnership]:
    async with PostgresOwnership(url) as opened:
        yield opened


def end_session(postgres: PostgresServer, ownership: PostgresOwnership) -> None:
    name = f"atelier session {ownership.process}"
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'")


async def test_a_session_that_was_ended_gives_its_accounts_up_and_its_owner_learns_it(
    session: PostgresOwnership, postgres: PostgresServer
) -> None:
    """What was owned before is a former epoch, even for the one who has it again."""
    await session.announce()
    before = await session.try_acquire("a:1")
    assert before is not None
    end_session(postgres, session)
    with pytest.raises(StorageUnavailable):
        await session.is_alive("somebody")
    after = await session.try_acquire("a:1")
    assert after == before + 1


async def test_a_former_owner_who_does_not_know_it_decides_nothing(
    session: PostgresOwnership, postgres: PostgresServer, url: str
) -> None:
    """It was paused, and wakes with jobs that seem past their deadline to it."""
    async with open_ledger(url, clock=ManualClock()) as ledger, PostgresOwnership(url) as successor:
        job = await open_job(ledger, build_job("1"))
        former = await session.try_acquire("a:1")
        end_session(postgres, session)
        current = await take_over(successor, "a:1")
        assert former is not None
        await ledger.move_as_owner({job.id: Failed("too late")}, account="a:1", epoch=former)
        assert await ledger.get([job.id]) == [job]
        await ledger.move_as_owner({job.id: Failed("too late")}, account="a:1", epoch=current)
        assert (await ledger.get([job.id]))[0].state == Failed("too late")


async def test_accounts_are_spread_over_the_processes_there_are(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked after by one, and about as many by each; who comes or goes moves no others about."""
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres_ownership.BEAT_INTERVAL_S", 0.05)
    accounts = [f"mhapi:{number}" for number in range(60)]
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        processes = [await stack.enter_async_context(PostgresOwnership(url)) for _ in range(3)]
        await wait_for_count(processes, 3)
        three = {account: find_preferred(processes, account) for account in accounts}
        assert all(10 <= list(three.values()).count(one) <= 30 for one in processes)
        async with PostgresOwnership(url) as fourth:
            four = [*processes, fourth]
            await wait_for_count(four, 4)
            now = {account: find_preferred(four, account) for account in accounts}
            assert all(now[account] in (three[account], fourth) for account in accounts)
            assert fourth in now.values()
        await wait_for_count(processes, 3)
        assert {account: find_preferred(processes, account) for account in accounts} == three


async def wait_for_count(processes: Sequence[PostgresOwnership], count: int) -> None:
    while any(one.process_count != count for one in processes):
        await asyncio.sleep(0.01)


def find_preferred(processes: Sequence[PostgresOwnership], account: str) -> PostgresOwnership:
    (preferred,) = [one for one in processes if one.is_preferred(account)]
    return preferred


async def test_processes_of_another_ledger_in_the_same_database_are_not_counted(
    url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres_ownership.BEAT_INTERVAL_S", 0.05)
    own_processes, stranger = (
        [PostgresOwnership(url) for _ in range(2)],
        PostgresOwnership(postgres.create_ledger_url()),
    )
    async with stranger, own_processes[0], own_processes[1], asyncio.timeout(20):
        await wait_for_count(own_processes, 2)
        assert stranger.process_count == 1


async def test_two_ledgers_in_one_database_look_after_the_same_account_each(url: str, postgres: PostgresServer) -> None:
    """Two teams with the key of one account: neither's jobs wait for the other."""
    other_url = postgres.create_ledger_url()
    open_database(other_url).close()
    async with PostgresOwnership(url) as own, PostgresOwnership(other_url) as stranger:
        assert await own.try_acquire("a:1") is not None
        assert await stranger.try_acquire("a:1") is not None


async def take_over(ownership: PostgresOwnership, account: str) -> int:
    async with asyncio.timeout(5):
        while (epoch := await ownership.try_acquire(account)) is None:
            await asyncio.sleep(0.01)
        return epoch


async def test_a_process_whose_session_was_ended_counts_as_alive_again_without_being_asked(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres_ownership.BEAT_INTERVAL_S", 0.05)
    async with PostgresOwnership(url) as owner, PostgresOwnership(url) as watcher:
        await owner.announce()
        end_session(postgres, owner)
        async with asyncio.timeout(5):
            while not await is_seen_alive(watcher, owner.process):
                await asyncio.sleep(0.01)


async def is_seen_alive(watcher: PostgresOwnership, process: str) -> bool:
    try:
        return await watcher.is_alive(process)
    except StorageUnavailable:
        return False
