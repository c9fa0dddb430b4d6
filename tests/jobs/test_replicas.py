"""Several servers on one PostgreSQL, in real time: what one writes, the others hear at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.model import Cancelled, Succeeded
from atelier_mcp.server.jobs.postgres_ownership import PostgresOwnership
from tests.jobs.doubles import JobsHarness, ScriptedProvider, build_done, build_request, open_harness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from atelier_mcp.server.jobs.model import JobId
    from tests.support.postgres import PostgresServer

NEVER_S = 60.0
"""Much longer than a test takes."""


@pytest.fixture
async def two(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[JobsHarness, JobsHarness]]:
    """Two servers that read the ledger by themselves so seldom that nothing is learned from that."""
    for name in ("WATCH_INTERVAL_S", "STANDBY_INTERVAL_S", "OWNER_INTERVAL_S", "IDLE_INTERVAL_S"):
        monkeypatch.setattr(f"atelier_mcp.server.jobs.account_poller.{name}", NEVER_S)
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres_ownership.BEAT_INTERVAL_S", 0.05)
    for name in ("WATCH_INTERVAL_S", "IDLE_INTERVAL_S"):
        monkeypatch.setattr(f"atelier_mcp.server.jobs.poller.{name}", NEVER_S)
    url, clock = postgres.create_ledger_url(), SystemClock()
    provider = ScriptedProvider(clock)
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(open_harness(tmp_path, provider, clock, seed=seed, ledger_url=url))
            for seed in (1, 2)
        ]
        yield await put_preferred_first(first, second)


async def put_preferred_first(*servers: JobsHarness) -> tuple[JobsHarness, JobsHarness]:
    """That which is to look after the account, once they know of each other, and then the other."""
    async with asyncio.timeout(10):
        while any(server.ownership.process_count < len(servers) for server in servers):
            await asyncio.sleep(0.01)
    account = servers[0].provider.account
    preferred, other = sorted(servers, key=lambda server: not server.ownership.is_preferred(account))
    return preferred, other


async def start_owned_job(owner: JobsHarness, prompt: str) -> JobId:
    """A job that this server looks after."""
    job = (await owner.submitter.start(build_request(prompt), caller="me")).job
    owner.poller.wake_for_waiters([job.id])
    async with asyncio.timeout(10):
        while not owner.provider.polls:
            await asyncio.sleep(0.01)
    return job.id


async def test_whoever_waits_at_another_server_hears_of_the_end_at_once(two: tuple[JobsHarness, JobsHarness]) -> None:
    owner, other = two
    job_id = await start_owned_job(owner, "a red kite")
    waiting = asyncio.create_task(other.jobs.wait([job_id], wait_s=NEVER_S))
    owner.provider.snapshots["task-1"] = build_done("a.png")
    async with asyncio.timeout(10):
        (job,) = await waiting
    assert isinstance(job.state, Succeeded)
    assert other.pipeline.stored_names == []


async def test_whoever_waits_hears_at_once_of_a_cancel_at_another_server(two: tuple[JobsHarness, JobsHarness]) -> None:
    """Also where the job is looked after; it is not polled any longer."""
    owner, other = two
    job_id = await start_owned_job(owner, "a red kite")
    waiting = asyncio.create_task(owner.jobs.wait([job_id], wait_s=NEVER_S))
    assert isinstance((await other.jobs.cancel(job_id)).state, Cancelled)
    async with asyncio.timeout(10):
        (job,) = await waiting
    assert isinstance(job.state, Cancelled)


async def test_a_job_is_polled_by_the_server_that_is_to_have_its_account(two: tuple[JobsHarness, JobsHarness]) -> None:
    """Wherever it was asked for: accounts are spread over servers, and not over those that are asked first."""
    preferred, other = two
    job = (await other.submitter.start(build_request("a red kite"), caller="me")).job
    other.provider.snapshots["task-1"] = build_done("a.png")
    async with asyncio.timeout(10):
        (ended,) = await other.jobs.wait([job.id], wait_s=NEVER_S)
    assert isinstance(ended.state, Succeeded)
    assert (preferred.pipeline.stored_names, other.pipeline.stored_names) == (["a.png"], [])


async def test_an_account_that_its_server_does_not_take_is_taken_by_another(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is to have it may be another version, or lack the settings."""
    monkeypatch.setattr("atelier_mcp.server.jobs.account_poller.HANDOVER_S", 0.1)
    monkeypatch.setattr("atelier_mcp.server.jobs.postgres_ownership.BEAT_INTERVAL_S", 0.05)
    url, clock = postgres.create_ledger_url(), SystemClock()
    provider = ScriptedProvider(clock)
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        server = await stack.enter_async_context(open_harness(tmp_path, provider, clock, ledger_url=url))
        while server.ownership.is_preferred(provider.account):
            count = server.ownership.process_count
            await stack.enter_async_context(PostgresOwnership(url))
            while server.ownership.process_count == count:
                await asyncio.sleep(0.01)
        provider.snapshots["task-1"] = build_done("a.png")
        job = (await server.submitter.start(build_request("a red kite"), caller="me")).job
        (ended,) = await server.jobs.wait([job.id], wait_s=NEVER_S)
    assert isinstance(ended.state, Succeeded)
