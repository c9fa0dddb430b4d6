"""Processes die and come back; several share one folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import SubmitUnconfirmed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.model import Cancelled, Job, JobImage, Queued, Saving, Submitting, Succeeded, Unconfirmed
from atelier_mcp.server.jobs.ownership import FileOwnership
from atelier_mcp.server.providers.base import TaskSucceeded
from tests.jobs.doubles import (
    FakeImagePipeline,
    ManualJobsHarness,
    ScriptedProvider,
    build_done,
    build_request,
    open_manual_harness,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.clock import ManualClock

ROOT = Path(__file__).parents[2]


async def start_job(harness: ManualJobsHarness, prompt: str = "a red kite") -> Job:
    return (await harness.submitter.start(build_request(prompt), caller="me")).job


async def load_job(harness: ManualJobsHarness, job: Job) -> Job:
    return (await harness.jobs.get([job.id]))[0]


async def test_a_job_accepted_before_a_restart_is_finished_after_it(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        job = await start_job(harness)
    provider.snapshots["task-1"] = build_done("a.png")
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        await clock.advance(5)
        assert (await load_job(harness, job)).state == Succeeded((JobImage("img_a.png", 0),))
    assert len(provider.submits) == 1


async def test_pictures_on_their_way_at_a_crash_are_fetched_after_it(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.poller.GRACE_S", 0.0)
    pipeline = FakeImagePipeline()
    pipeline.can_store = False
    provider.submit_script.append(
        TaskSucceeded((OutputImage(data=b"123"), OutputImage("https://pictures.example/b.png")))
    )
    async with open_manual_harness(tmp_path, provider, clock, pipeline=pipeline) as harness:
        job = await start_job(harness)
        await clock.settle()
        assert isinstance((await load_job(harness, job)).state, Saving)
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        await clock.advance(1)
        assert (await load_job(harness, job)).state == Succeeded((JobImage("img_3"), JobImage("img_b.png")))


async def test_a_server_that_stops_before_the_answer_says_that_it_does_not_know(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.submitter.GRACE_S", 0.0)
    provider.answer_gate.clear()
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        starting = asyncio.create_task(start_job(harness))
        await clock.settle()
    with pytest.raises(SubmitUnconfirmed, match="not sent again"):
        await starting
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        ((job,), _) = await harness.jobs.list_recent()
        assert job.state == Unconfirmed()
        await clock.advance(60)
    assert len(provider.submits) == 1


# Several processes on one folder


@pytest.fixture
async def two(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> AsyncGenerator[tuple[ManualJobsHarness, ManualJobsHarness]]:
    """Two servers of one user, with the same credentials."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_manual_harness(tmp_path, provider, clock, seed=1))
        second = await stack.enter_async_context(open_manual_harness(tmp_path, provider, clock, seed=2))
        yield first, second


async def test_one_of_two_servers_looks_and_both_hear(two: tuple[ManualJobsHarness, ManualJobsHarness]) -> None:
    first, second = two
    provider = first.provider
    provider.done_after_s = 10.0
    jobs = [await start_job(harness, f"kite {n} of {harness.ownership.process}") for n in range(10) for harness in two]
    waits = [asyncio.create_task(harness.jobs.wait([job.id for job in jobs], wait_s=60)) for harness in two]
    await first.clock.advance_until(lambda: all(waiting.done() for waiting in waits))
    assert all(isinstance(job.state, Succeeded) for waiting in waits for job in waiting.result())
    moments = [moment for moment, _ in provider.polls]
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 6
    assert sorted(first.pipeline.stored_names + second.pipeline.stored_names) == sorted(
        f"task-{n}.png" for n in range(1, 21)
    )
    assert not (first.pipeline.stored_names and second.pipeline.stored_names)


async def test_a_job_waited_for_elsewhere_is_looked_at_as_often_as_one_waited_for_here(
    two: tuple[ManualJobsHarness, ManualJobsHarness],
) -> None:
    first, second = two
    own = await start_job(first, "own")
    await first.clock.advance(1)
    other = await start_job(second, "other")
    waiting = asyncio.create_task(second.jobs.wait([other.id], wait_s=60))
    first.provider.done_after_s = 25.0
    await first.clock.advance_until(waiting.done)
    result = (await waiting)[0]
    assert isinstance(result.state, Succeeded)
    assert (result.updated_at - other.created_at).total_seconds() < 25 + 5
    assert second.pipeline.stored_names == []
    assert own.id != other.id


async def test_the_same_request_to_two_servers_is_one_job(two: tuple[ManualJobsHarness, ManualJobsHarness]) -> None:
    first, second = two
    begun = await asyncio.gather(*(harness.submitter.start(build_request("kite"), caller="me") for harness in two))
    assert begun[0].job.id == begun[1].job.id
    assert sorted(one.joined for one in begun) == [False, True]
    assert len(first.provider.submits) == 1
    assert isinstance((await load_job(second, begun[0].job)).state, Submitting | Queued)


async def test_a_job_cancelled_by_another_server_is_not_looked_at_any_longer(
    two: tuple[ManualJobsHarness, ManualJobsHarness],
) -> None:
    first, second = two
    job = await start_job(first)
    await first.clock.advance(10)
    await second.jobs.cancel(job.id)
    await first.clock.advance(3)
    poll_count = len(first.provider.polls)
    await first.clock.advance(100)
    assert len(first.provider.polls) == poll_count
    assert isinstance((await load_job(first, job)).state, Cancelled)


async def test_a_server_that_leaves_is_replaced_by_the_other(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    async with open_manual_harness(tmp_path, provider, clock, seed=1) as second:
        async with open_manual_harness(tmp_path, provider, clock, seed=2) as first:
            job = await start_job(first)
            await clock.advance(10)
        waiting = asyncio.create_task(second.jobs.wait([job.id], wait_s=60))
        provider.snapshots["task-1"] = build_done("a.png")
        await clock.advance_until(waiting.done, within_s=10)
        assert isinstance((await waiting)[0].state, Succeeded)
        assert second.pipeline.stored_names == ["a.png"]


async def test_a_submit_of_a_living_server_is_not_given_up_by_another(
    two: tuple[ManualJobsHarness, ManualJobsHarness],
) -> None:
    first, second = two
    first.provider.answer_gate.clear()
    starting = asyncio.create_task(start_job(first))
    await first.clock.advance(600)
    ((job,), _) = await second.jobs.list_recent()
    assert job.state == Submitting()
    first.provider.answer_gate.set()
    assert isinstance((await starting).state, Queued)


async def see_nobody(_process: str) -> bool:
    return False


async def test_a_sender_that_seems_gone_is_given_up_only_when_its_answer_cannot_come_any_more(
    two: tuple[ManualJobsHarness, ManualJobsHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may only be cut off from the ledger, and still be sending."""
    first, second = two
    monkeypatch.setattr(second.ownership, "is_alive", see_nobody)
    second.ownership.orphan_age_s = 360.0
    first.provider.answer_gate.clear()
    starting = asyncio.create_task(start_job(first))
    await first.clock.advance(350)
    ((job,), _) = await second.jobs.list_recent()
    assert job.state == Submitting()
    await first.clock.advance(20)
    assert (await load_job(second, job)).state == Unconfirmed()
    first.provider.answer_gate.set()
    await starting


@pytest.mark.parametrize("is_done_at_once", [False, True], ids=["a task", "the work itself"])
async def test_a_sender_that_was_given_up_still_writes_its_answer_down(
    two: tuple[ManualJobsHarness, ManualJobsHarness], monkeypatch: pytest.MonkeyPatch, is_done_at_once: bool
) -> None:
    """What was accepted is paid for: nobody may lose it because its sender was paused."""
    first, second = two
    provider = first.provider
    monkeypatch.setattr(second.ownership, "is_alive", see_nobody)
    provider.answer_gate.clear()
    if is_done_at_once:
        provider.submit_script.append(build_done("task-1.png"))
    starting = asyncio.create_task(start_job(first))
    await first.clock.advance(10)
    ((job,), _) = await second.jobs.list_recent()
    assert job.state == Unconfirmed()
    provider.done_after_s = 1.0
    provider.answer_gate.set()
    assert (await starting).id == job.id
    await first.clock.advance(10)
    state = (await load_job(second, job)).state
    assert isinstance(state, Succeeded)
    assert [image.handle for image in state.images] == ["img_task-1.png"]
    assert len(provider.submits) == 1


# Real processes, really killed

SERVER = """
import asyncio, sys
from pathlib import Path
from tests.jobs.doubles import ScriptedProvider, open_harness, build_request
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.ownership import FileOwnership

async def main(folder, lost_answer):
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    async with open_harness(Path(folder), provider, clock) as harness:
        await harness.submitter.start(build_request("accepted"), caller="me")
        watcher = FileOwnership(Path(folder) / "locks")
        while await watcher.try_acquire(provider.account):
            await watcher.release(provider.account)
            await asyncio.sleep(0.01)
        if lost_answer:
            provider.answer_gate.clear()
            asyncio.create_task(harness.submitter.start(build_request("lost"), caller="me"))
            while len(provider.submits) < 2:
                await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2] == "lost"))
"""


async def run_and_kill_server(folder: Path) -> None:
    """Run a server until one job is accepted and another is sent without an answer, and kill it there."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    }
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), "lost"], stdout=subprocess.PIPE, env=environment
    ) as server:
        assert server.stdout is not None
        assert await asyncio.to_thread(server.stdout.readline) == b"ready\n"
        other = FileOwnership(folder / "locks")
        assert not await other.try_acquire("scripted:0001")
        server.send_signal(signal.SIGKILL)


async def test_a_killed_server_loses_no_accepted_job_and_none_is_sent_twice(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    await run_and_kill_server(tmp_path)
    provider.snapshots["task-1"] = build_done("a.png")
    async with open_manual_harness(tmp_path, provider, clock, seed=5) as harness:
        jobs = {job.request["prompt"]: job for job in (await harness.jobs.list_recent())[0]}
        waiting = asyncio.create_task(harness.jobs.wait([jobs["accepted"].id, jobs["lost"].id], wait_s=60))
        await clock.advance_until(waiting.done)
        accepted, lost = await waiting
        assert isinstance(accepted.state, Succeeded)
        assert lost.state == Unconfirmed()
    assert provider.submits == []
