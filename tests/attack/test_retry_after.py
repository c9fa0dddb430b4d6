"""A Retry-After header, however it is written, neither freezes an account nor makes a certain refusal uncertain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.bad_gateway import SUBMITS, BadAnswer
from tests.support.stepped_server import MHAPI, UPSTREAMS, SteppedServer, Upstream
from tests.support.tool_results import get_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

HEADERS: Final = (
    b"99999999999", b"9" * 400, b"31536000", b"Fri, 31 Dec 2099 23:59:59 GMT", b"Fri, 31 Dec 9999 23:59:59 -1200",
    b"Thu, 01 Jan 1970 00:00:00 GMT", b"0", b"-1", b"1e999", b"1.5", b"0x10", b"inf", b"nan", b"1_000", b"+5", b"5, 10",
    b"soon", "²".encode(), "٣٤".encode(), "①".encode(), "９９".encode(), b"\xb2", b"\xff",
)  # fmt: skip
"""Numbers and dates that are too much, and signs that some take for digits."""
LONGEST_PAUSE_S: Final = 310.0
"""Five minutes, and the jitter."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        yield running


@pytest.mark.parametrize("status", [429, 503])
async def test_no_header_keeps_the_jobs_of_an_account_waiting_for_longer_than_minutes(
    world: SteppedServer, status: int
) -> None:
    """All of them stand still meanwhile, also those that others ask for."""
    frozen: list[bytes] = []
    async with world.connect(MHAPI) as client:
        for number, header in enumerate(HEADERS):
            job_id = await world.start_job(client, f"kite {number}")
            world.gateway.bad_count = 0
            world.gateway.answer = BadAnswer("wait", status, headers=((b"retry-after", header),))
            await world.clock.advance(LONGEST_PAUSE_S, until=lambda: world.gateway.bad_count > 0)
            world.recover()
            began_s = world.clock.monotonic()
            job = await world.wait_for_end(client, job_id)
            # A look is late by at most a quarter of a minute besides.
            if job["state"] != "succeeded" or world.clock.monotonic() - began_s > LONGEST_PAUSE_S + 15:
                frozen.append(header)
    print(f"{len(HEADERS)} headers, {len(frozen)} frozen")  # for people
    assert not frozen


@pytest.mark.parametrize("upstream", UPSTREAMS, ids=str)
async def test_a_submit_that_was_refused_for_coming_too_fast_stays_refused(
    world: SteppedServer, upstream: Upstream
) -> None:
    """Nothing was spent, whatever the header says."""
    wrong: list[str] = []
    async with world.connect(upstream) as client:
        world.gateway.pattern = SUBMITS
        for number, header in enumerate(HEADERS):
            world.gateway.answer = BadAnswer("wait", 429, headers=((b"retry-after", header),))
            words = get_refusal(await world.call(client, "generate_image", prompt=f"kite {number}", wait_s=50))
            if "Nothing was spent." not in words or "unconfirmed" in words:
                wrong.append(f"{header!r}: {words}")
    print(f"{upstream}: {len(HEADERS)} headers, {len(wrong)} uncertain")  # for people
    assert not wrong, "\n".join(wrong)
