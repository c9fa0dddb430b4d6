"""Calls that are themselves the job: they wait for their turn, can be stopped, and are never sent twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import Spent, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.model import Cancelled, Failed, Job, JobImage, Submitting, Succeeded, Unconfirmed
from atelier_mcp.server.jobs.service import CANCEL_WAIT_S
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded
from tests.jobs.doubles import (
    ManualJobsHarness,
    ScriptedProvider,
    build_request,
    count_spent_images,
    open_manual_harness,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from atelier_mcp.server.jobs.submit_result import StartedJob
    from tests.support.clock import ManualClock

DRAWN = TaskSucceeded((OutputImage(data=b"12345"),))


@pytest.fixture
def provider(clock: ManualClock) -> ScriptedProvider:
    """A service that draws one picture at a time and answers each call with it; none is drawn yet."""
    provider = ScriptedProvider(clock, calls_at_once=1)
    provider.submit_script.extend([DRAWN] * 5)
    provider.answer_gate.clear()
    return provider


@pytest.fixture
async def harness(tmp_path: Path, provider: ScriptedProvider, clock: ManualClock) -> AsyncGenerator[ManualJobsHarness]:
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        yield harness


async def is_never_alive(_ownership: object, _process: str) -> bool:
    return False


async def start(harness: ManualJobsHarness, prompt: str) -> tuple[asyncio.Task[StartedJob], Job]:
    starting = asyncio.create_task(harness.submitter.start(build_request(prompt), caller="me"))
    await harness.clock.settle()
    return starting, await find_job(harness, prompt)


async def find_job(harness: ManualJobsHarness, prompt: str) -> Job:
    jobs, _ = await harness.jobs.list_recent()
    return next(job for job in jobs if job.request["prompt"] == prompt)


async def answer(harness: ManualJobsHarness) -> None:
    harness.provider.answer_gate.set()
    await harness.clock.advance(1)


async def test_a_service_is_sent_no_more_calls_than_it_takes_at_once(harness: ManualJobsHarness) -> None:
    _, first = await start(harness, "first")
    _, second = await start(harness, "second")
    assert (first.state, second.state) == (Submitting(), Submitting(is_waiting=True))
    assert harness.provider.job_ids == [first.id]
    await answer(harness)
    assert harness.provider.job_ids == [first.id, second.id]
    assert (await find_job(harness, "second")).state == Succeeded((JobImage("img_5"),))


async def test_a_call_that_waits_for_its_turn_is_cancelled_at_once_and_never_sent(harness: ManualJobsHarness) -> None:
    await start(harness, "first")
    starting, second = await start(harness, "second")
    assert (await harness.jobs.cancel(second.id)).state == Cancelled(upstream_stopped=True)
    assert isinstance((await starting).job.state, Cancelled)
    assert await count_spent_images(harness) == 1
    await answer(harness)
    assert len(harness.provider.submits) == 1


async def test_a_call_that_another_server_cancels_before_its_turn_is_never_sent(
    harness: ManualJobsHarness, tmp_path: Path
) -> None:
    await start(harness, "first")
    starting, second = await start(harness, "second")
    async with open_manual_harness(tmp_path, harness.provider, harness.clock, seed=3) as other:
        cancelling = asyncio.create_task(other.jobs.cancel(second.id))
        await harness.clock.advance(CANCEL_WAIT_S)
        assert isinstance((await cancelling).state, Cancelled)
    await answer(harness)
    assert isinstance((await starting).job.state, Cancelled)
    assert len(harness.provider.submits) == 1


async def test_a_call_that_the_service_stops_costs_nothing_and_what_it_still_answers_is_dropped(
    harness: ManualJobsHarness,
) -> None:
    harness.provider.can_stop_calls = True
    starting, job = await start(harness, "kite")
    assert (await harness.jobs.cancel(job.id)).state == Cancelled(upstream_stopped=True)
    assert isinstance((await starting).job.state, Cancelled)
    await harness.clock.advance(10)
    assert (await find_job(harness, "kite")).state == Cancelled(upstream_stopped=True)
    assert harness.provider.stopped_calls == [job.id]
    assert await count_spent_images(harness) == 0


async def test_a_call_that_cannot_be_stopped_goes_on_and_its_pictures_are_kept(harness: ManualJobsHarness) -> None:
    _, job = await start(harness, "kite")
    cancelling = asyncio.create_task(harness.jobs.cancel(job.id))
    await harness.clock.advance(CANCEL_WAIT_S)
    assert (await cancelling).state == Cancelled(upstream_stopped=False)
    await answer(harness)
    assert isinstance((await find_job(harness, "kite")).state, Succeeded)


async def test_who_waits_for_a_job_hears_how_far_its_call_is(harness: ManualJobsHarness) -> None:
    await start(harness, "first")
    _, second = await start(harness, "second")
    heard: list[Job] = []
    waiting = asyncio.create_task(harness.jobs.wait([second.id], wait_s=60, on_change=heard.append))
    await harness.clock.settle()  # whoever begins to wait later hears of less
    await answer(harness)
    await harness.clock.advance_until(waiting.done)
    assert Submitting(progress=0.5, note="sending") in [job.state for job in heard]
    assert isinstance(heard[-1].state, Succeeded)


async def test_what_the_service_accepted_and_gave_up_may_have_cost_something(harness: ManualJobsHarness) -> None:
    harness.provider.submit_script.clear()
    harness.provider.submit_script.append(TaskFailed(UpstreamFailed("no picture", spent=Spent.MAYBE)))
    starting, _ = await start(harness, "kite")
    await answer(harness)
    assert (await starting).job.state == Failed("no picture", Spent.MAYBE.value, "")
    assert await count_spent_images(harness) == 1


async def test_a_server_that_stops_sends_nothing_more_and_says_what_was_never_sent(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.submitter.GRACE_S", 0.0)
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        sending, _ = await start(harness, "sent")
        waiting, _ = await start(harness, "waiting")
    with pytest.raises(SubmitUnconfirmed):
        await sending
    assert isinstance((await waiting).job.state, Failed)
    async with open_manual_harness(tmp_path, provider, clock, seed=2) as harness:
        assert (await find_job(harness, "sent")).state == Unconfirmed()
        assert (await find_job(harness, "waiting")).state == Failed(
            "The server stopped before the job was sent.", Spent.NOTHING.value, "Ask again."
        )
        assert await count_spent_images(harness) == 1
    assert len(provider.submits) == 1


async def test_after_a_kill_a_call_that_was_sent_is_unconfirmed_and_one_that_waited_cost_nothing(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed process is played by one whose lock nobody holds."""
    async with open_manual_harness(tmp_path, provider, clock, seed=1) as killed:
        await start(killed, "sent")
        await start(killed, "waiting")
        monkeypatch.setattr("atelier_mcp.server.jobs.ownership.FileOwnership.is_alive", is_never_alive)
        async with open_manual_harness(tmp_path, provider, clock, seed=2) as harness:
            await clock.advance(10)
            assert (await find_job(harness, "sent")).state == Unconfirmed()
            assert isinstance((await find_job(harness, "waiting")).state, Failed)
            assert await count_spent_images(harness) == 1
            await answer(harness)
        assert len(provider.submits) == 1
