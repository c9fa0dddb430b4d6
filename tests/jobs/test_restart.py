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
from jobs.doubles import HandRoom, MemoryGallery, ScriptedProvider, done, open_hand_room, words

from atelier_mcp.server.errors import SubmitUnconfirmed
from atelier_mcp.server.jobs.model import Cancelled, Job, JobImage, Queued, Saving, Submitting, Succeeded, Unconfirmed
from atelier_mcp.server.jobs.ownership import FileOwnership
from atelier_mcp.server.providers.base import Done, Output

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from jobs.hand_clock import HandClock

TESTS = Path(__file__).parent.parent


async def started(room: HandRoom, prompt: str = "a red kite") -> Job:
    return (await room.jobs.start(words(prompt), caller="me")).job


async def stands(room: HandRoom, job: Job) -> Job:
    return (await room.jobs.get([job.id]))[0]


async def test_a_job_accepted_before_a_restart_is_finished_after_it(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> None:
    async with open_hand_room(tmp_path, provider, clock) as room:
        job = await started(room)
    provider.stands["task-1"] = done("a.png")
    async with open_hand_room(tmp_path, provider, clock) as room:
        await clock.advance(5)
        assert (await stands(room, job)).state == Succeeded((JobImage("img_a.png", 0),))
    assert len(provider.submits) == 1


async def test_pictures_on_their_way_at_a_crash_are_fetched_after_it(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.poller.GRACE_S", 0.0)
    gallery = MemoryGallery()
    gallery.opens = False
    provider.submit_script.append(Done((Output(data=b"123"), Output("https://pictures.example/b.png"))))
    async with open_hand_room(tmp_path, provider, clock, gallery=gallery) as room:
        job = await started(room)
        await clock.settle()
        assert isinstance((await stands(room, job)).state, Saving)
    async with open_hand_room(tmp_path, provider, clock) as room:
        await clock.advance(1)
        assert (await stands(room, job)).state == Succeeded((JobImage("img_3"), JobImage("img_b.png")))


async def test_a_server_that_stops_before_the_answer_says_that_it_does_not_know(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.service.GRACE_S", 0.0)
    provider.answers.clear()
    async with open_hand_room(tmp_path, provider, clock) as room:
        starting = asyncio.create_task(started(room))
        await clock.settle()
    with pytest.raises(SubmitUnconfirmed, match="not sent again"):
        await starting
    async with open_hand_room(tmp_path, provider, clock) as room:
        ((job,), _) = await room.jobs.recent()
        assert job.state == Unconfirmed()
        await clock.advance(60)
    assert len(provider.submits) == 1


# Several processes on one folder


@pytest.fixture
async def two(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> AsyncGenerator[tuple[HandRoom, HandRoom]]:
    """Two servers of one user, with the same credentials."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_hand_room(tmp_path, provider, clock, seed=1))
        second = await stack.enter_async_context(open_hand_room(tmp_path, provider, clock, seed=2))
        yield first, second


async def test_one_of_two_servers_looks_and_both_hear(two: tuple[HandRoom, HandRoom]) -> None:
    first, second = two
    provider = first.provider
    provider.done_after_s = 10.0
    jobs = [await started(room, f"kite {n} of {room.ownership.process}") for n in range(10) for room in two]
    waits = [asyncio.create_task(room.jobs.wait([job.id for job in jobs], wait_s=60)) for room in two]
    await first.clock.until(lambda: all(waiting.done() for waiting in waits))
    assert all(isinstance(job.state, Succeeded) for waiting in waits for job in waiting.result())
    moments = [moment for moment, _ in provider.looks]
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 6
    assert sorted(first.gallery.kept + second.gallery.kept) == sorted(f"task-{n}.png" for n in range(1, 21))
    assert not (first.gallery.kept and second.gallery.kept)


async def test_a_job_waited_for_elsewhere_is_looked_at_as_often_as_one_waited_for_here(
    two: tuple[HandRoom, HandRoom],
) -> None:
    first, second = two
    own = await started(first, "own")
    await first.clock.advance(1)
    other = await started(second, "other")
    waiting = asyncio.create_task(second.jobs.wait([other.id], wait_s=60))
    first.provider.done_after_s = 25.0
    await first.clock.until(waiting.done)
    result = (await waiting)[0]
    assert isinstance(result.state, Succeeded)
    assert (result.updated_at - other.created_at).total_seconds() < 25 + 5
    assert second.gallery.kept == []
    assert own.id != other.id


async def test_the_same_request_to_two_servers_is_one_job(two: tuple[HandRoom, HandRoom]) -> None:
    first, second = two
    begun = await asyncio.gather(*(room.jobs.start(words("kite"), caller="me") for room in two))
    assert begun[0].job.id == begun[1].job.id
    assert sorted(one.joined for one in begun) == [False, True]
    assert len(first.provider.submits) == 1
    assert isinstance((await stands(second, begun[0].job)).state, Submitting | Queued)


async def test_a_job_cancelled_by_another_server_is_not_looked_at_any_longer(two: tuple[HandRoom, HandRoom]) -> None:
    first, second = two
    job = await started(first)
    await first.clock.advance(10)
    await second.jobs.cancel(job.id)
    await first.clock.advance(3)
    looks = len(first.provider.looks)
    await first.clock.advance(100)
    assert len(first.provider.looks) == looks
    assert isinstance((await stands(first, job)).state, Cancelled)


async def test_a_server_that_leaves_is_replaced_by_the_other(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> None:
    async with open_hand_room(tmp_path, provider, clock, seed=1) as second:
        async with open_hand_room(tmp_path, provider, clock, seed=2) as first:
            job = await started(first)
            await clock.advance(10)
        waiting = asyncio.create_task(second.jobs.wait([job.id], wait_s=60))
        provider.stands["task-1"] = done("a.png")
        await clock.until(waiting.done, within_s=10)
        assert isinstance((await waiting)[0].state, Succeeded)
        assert second.gallery.kept == ["a.png"]


async def test_a_submit_of_a_living_server_is_not_given_up_by_another(two: tuple[HandRoom, HandRoom]) -> None:
    first, second = two
    first.provider.answers.clear()
    starting = asyncio.create_task(started(first))
    await first.clock.advance(600)
    ((job,), _) = await second.jobs.recent()
    assert job.state == Submitting()
    first.provider.answers.set()
    assert isinstance((await starting).state, Queued)


def test_an_account_has_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = FileOwnership(tmp_path), FileOwnership(tmp_path)
    assert first.hold("a:1")
    assert first.hold("a:1")
    assert not second.hold("a:1")
    assert second.hold("b:1")
    first.let_go("a:1")
    assert second.hold("a:1")
    for account in ("a:1", "b:1"):
        second.let_go(account)


async def test_a_process_counts_as_alive_until_it_ends(tmp_path: Path) -> None:
    watcher = FileOwnership(tmp_path)
    async with FileOwnership(tmp_path) as other:
        other.announce()
        assert watcher.is_alive(other.process)
    assert not watcher.is_alive(other.process)
    assert not watcher.is_alive("never-there")


# Real processes, really killed

SERVER = """
import asyncio, sys
from pathlib import Path
from jobs.doubles import ScriptedProvider, open_room, words
from atelier_mcp.server.jobs.clock import SystemClock

async def main(folder, lost_answer):
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    async with open_room(Path(folder), provider, clock) as room:
        await room.jobs.start(words("accepted"), caller="me")
        while not room.ownership._held:
            await asyncio.sleep(0.01)
        if lost_answer:
            provider.answers.clear()
            asyncio.create_task(room.jobs.start(words("lost"), caller="me"))
            while len(provider.submits) < 2:
                await asyncio.sleep(0.01)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1], sys.argv[2] == "lost"))
"""


async def killed_server(folder: Path) -> None:
    """Run a server until one job is accepted and another is sent without an answer, and kill it there."""
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), "lost"], stdout=subprocess.PIPE, env=environment
    ) as server:
        assert server.stdout is not None
        assert await asyncio.to_thread(server.stdout.readline) == b"ready\n"
        other = FileOwnership(folder / "locks")
        assert not other.hold("scripted:0001")
        server.send_signal(signal.SIGKILL)


async def test_a_killed_server_loses_no_accepted_job_and_none_is_sent_twice(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> None:
    await killed_server(tmp_path)
    provider.stands["task-1"] = done("a.png")
    async with open_hand_room(tmp_path, provider, clock, seed=5) as room:
        jobs = {job.request["prompt"]: job for job in (await room.jobs.recent())[0]}
        waiting = asyncio.create_task(room.jobs.wait([jobs["accepted"].id, jobs["lost"].id], wait_s=60))
        await clock.until(waiting.done)
        accepted, lost = await waiting
        assert isinstance(accepted.state, Succeeded)
        assert lost.state == Unconfirmed()
    assert provider.submits == []
