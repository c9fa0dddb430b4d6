"""What a call waits for before its job is sent: pictures on their way, for no longer than the call wants to wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused, ProviderUnavailable, Spent, TransientError
from atelier_mcp.server.jobs.model import Queued
from atelier_mcp.server.jobs.submit_result import MIN_PREPARE_S
from tests.jobs.doubles import ManualJobsHarness, build_request

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.submit_result import StartedJob


@pytest.fixture(autouse=True)
def slow_way(harness: ManualJobsHarness) -> None:
    """Pictures are on their way for as long as the test likes."""
    harness.pipeline.open_gate.clear()


def start(harness: ManualJobsHarness, *, wait_s: float | None = None) -> asyncio.Task[StartedJob]:
    """A call for a picture."""
    return asyncio.ensure_future(harness.submitter.start(build_request("kite"), caller="me", wait_s=wait_s))


@pytest.mark.parametrize(("wait_s", "answered_after_s"), [(0.0, MIN_PREPARE_S), (5.0, 5.0), (45.0, 45.0)])
async def test_a_call_is_answered_when_its_wait_ends(
    harness: ManualJobsHarness, wait_s: float, answered_after_s: float
) -> None:
    call = start(harness, wait_s=wait_s)
    await harness.clock.advance(answered_after_s - 0.1)
    assert not call.done()
    await harness.clock.advance(0.1)
    with pytest.raises(TransientError, match="still on their way") as caught:
        await call
    assert caught.value.spent is Spent.NOTHING
    assert await harness.jobs.list_recent() == ([], False)


async def test_who_asks_again_waits_for_the_same_job(harness: ManualJobsHarness) -> None:
    """Nothing is fetched, sent or paid for twice."""
    first = start(harness, wait_s=5)
    await harness.clock.advance(5)
    again = start(harness, wait_s=45)
    await harness.clock.advance(5)
    harness.pipeline.open_gate.set()
    await harness.clock.settle()
    started = await again
    assert isinstance(started.job.state, Queued)
    assert started.joined
    assert isinstance(first.exception(), TransientError)
    assert (harness.pipeline.open_count, len(harness.provider.submits)) == (1, 1)


async def test_a_call_that_is_cancelled_meanwhile_sends_nothing(harness: ManualJobsHarness) -> None:
    call = start(harness)
    await harness.clock.settle()
    call.cancel()
    await harness.clock.settle()
    harness.pipeline.open_gate.set()
    await harness.clock.advance(10)
    assert call.cancelled()
    assert len(harness.provider.submits) == 0


async def test_a_call_that_is_cancelled_takes_nothing_from_another_for_the_same(harness: ManualJobsHarness) -> None:
    one, other = start(harness), start(harness)
    await harness.clock.settle()
    one.cancel()
    await harness.clock.settle()
    harness.pipeline.open_gate.set()
    assert isinstance((await other).job.state, Queued)
    assert len(harness.provider.submits) == 1


async def test_a_picture_that_cannot_be_fetched_is_told_to_who_waits_and_tried_again_for_the_next(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_references: object) -> None:
        await harness.pipeline.open_gate.wait()
        raise ImageRefused("There is no picture at that link.")

    with monkeypatch.context() as broken:
        broken.setattr(harness.pipeline, "open", refuse)
        calls = [start(harness), start(harness)]
        await harness.clock.settle()
        harness.pipeline.open_gate.set()
        for call in calls:
            with pytest.raises(ImageRefused):
                await call
    assert isinstance((await start(harness)).job.state, Queued)


async def test_a_server_that_closes_meanwhile_sends_nothing(harness: ManualJobsHarness) -> None:
    call = start(harness)
    await harness.clock.settle()
    closing = asyncio.ensure_future(harness.submitter.__aexit__(None, None, None))
    await harness.clock.settle()
    harness.pipeline.open_gate.set()
    with pytest.raises(ProviderUnavailable, match="before the job was sent"):
        await call
    await closing
    assert len(harness.provider.submits) == 0
