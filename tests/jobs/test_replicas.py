"""Several servers on one PostgreSQL, in real time: what one writes, the others hear at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.model import Cancelled, Succeeded
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
    for name in ("WATCH_INTERVAL_S", "IDLE_INTERVAL_S"):
        monkeypatch.setattr(f"atelier_mcp.server.jobs.poller.{name}", NEVER_S)
    url, clock = postgres.create_ledger_url(), SystemClock()
    provider = ScriptedProvider(clock)
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(open_harness(tmp_path, provider, clock, seed=seed, ledger_url=url))
            for seed in (1, 2)
        ]
        yield first, second


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
