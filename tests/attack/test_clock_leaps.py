"""The time of day leaps, forward and back: no good job ends by that, and none waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.bad_gateway import BadAnswer
from tests.support.stepped_server import MHAPI, UPSTREAMS, SteppedServer, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

OTHERS: Final = UPSTREAMS[1:]
"""All but MHAPI, whose tokens name the time of day: it refuses them until the clock is right again, and jobs wait."""
LEAPS_S: Final = (1860.0, 7200.0, 30 * 86400.0, -7200.0, -30 * 86400.0)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        yield running


@pytest.mark.parametrize("leap_s", LEAPS_S)
@pytest.mark.parametrize("upstream", OTHERS, ids=str)
async def test_a_job_outlives_a_leap_of_the_clock(world: SteppedServer, upstream: Upstream, leap_s: float) -> None:
    """A laptop that was asleep, a clock that was set: the first look must not end what the service still draws."""
    async with world.connect(upstream) as client:
        job_id = await world.start_job(client, "a kite")
        world.clock.leap(leap_s)
        await world.clock.advance(60)
        world.recover()
        assert (await world.wait_for_end(client, job_id))["state"] == "succeeded"


@pytest.mark.parametrize("leap_s", LEAPS_S)
async def test_a_job_outlives_a_leap_while_the_server_is_down(world: SteppedServer, leap_s: float) -> None:
    """The next server takes it up past its deadline, and finds it at work."""
    async with world.connect(OTHERS[0]) as client:
        job_id = await world.start_job(client, "a kite")
    world.clock.leap(leap_s)
    async with world.connect(OTHERS[0]) as client:
        await world.call(client, "wait_for_jobs", job_ids=[job_id], wait_s=20)
        world.recover()
        assert (await world.wait_for_end(client, job_id))["state"] == "succeeded"


async def test_a_job_is_given_up_in_its_time_though_the_clock_was_set_back(world: SteppedServer) -> None:
    """Half an hour is half an hour."""
    async with world.connect(MHAPI) as client:
        job_id = await world.start_job(client, "a kite")
        world.gateway.answer = BadAnswer("page", 404)
        world.clock.leap(-86400)
        await world.clock.advance(1800 + 900)
        job = await world.wait_for_end(client, job_id)
        assert job["state"] == "failed"
        assert "within 30 minutes" in " ".join(job["notes"])
