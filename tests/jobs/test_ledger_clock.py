"""Machines whose clocks differ write down the same time: that of the database they share."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.jobs.ledger_clock import MEASURE_INTERVAL_S, RETRY_INTERVAL_S, open_ledger_clock
from tests.support.clock import ManualClock

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from tests.support.postgres import PostgresServer

NEAR = timedelta(seconds=0.5)
HOUR = timedelta(hours=1)
BOUND_S = 10.0


class LeapingClock(ManualClock):
    """The time of day, wrong by what somebody sets; its other time stands still."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__()
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def is_right(ledger_clock: Clock) -> bool:
    """Whether it says what the database says, which runs on this machine."""
    return abs(ledger_clock.now() - datetime.now(UTC)) < NEAR


async def wait_until_right(ledger_clock: Clock) -> None:
    async with asyncio.timeout(BOUND_S):
        while not is_right(ledger_clock):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, timedelta(0)], ids=str)
async def test_a_ledger_goes_by_its_databases_time(postgres: PostgresServer, ahead: timedelta) -> None:
    clock = LeapingClock(ahead)
    async with open_ledger_clock(postgres.build_url(), clock) as ledger_clock:
        assert is_right(ledger_clock)
        assert ledger_clock.monotonic() == clock.monotonic()


async def test_a_clock_that_is_set_meanwhile_is_put_right_within_a_minute(postgres: PostgresServer) -> None:
    clock = LeapingClock(timedelta(0))
    async with open_ledger_clock(postgres.build_url(), clock) as ledger_clock:
        clock.ahead = -HOUR
        assert not is_right(ledger_clock)
        await clock.advance(MEASURE_INTERVAL_S)
        await wait_until_right(ledger_clock)


async def test_a_database_that_is_away_is_asked_again_soon(own_postgres: PostgresServer) -> None:
    """Until it answers, the machine's own clock has to do."""
    await asyncio.to_thread(own_postgres.kill)
    clock = LeapingClock(HOUR)
    async with open_ledger_clock(own_postgres.build_url(), clock) as ledger_clock:
        assert not is_right(ledger_clock)
        await asyncio.to_thread(own_postgres.start)
        await clock.advance(MEASURE_INTERVAL_S + RETRY_INTERVAL_S)
        await wait_until_right(ledger_clock)


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(2.0, "2.0 s ahead of"), (-3600.0, "3600.0 s behind"), (0.5, None), (-0.5, None)],
)
async def test_a_clock_that_is_far_off_is_told_once(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture, ahead_s: float, words: str | None
) -> None:
    """Links and tokens go by the machine's own clock."""
    clock = LeapingClock(timedelta(seconds=ahead_s))
    async with open_ledger_clock(postgres.build_url(), clock) as ledger_clock:
        await clock.advance(MEASURE_INTERVAL_S)
        await wait_until_right(ledger_clock)
    warnings = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
    assert len(warnings) == (words is not None)
    assert all(words and words in warning for warning in warnings)


async def test_a_ledger_of_this_machine_goes_by_the_machines_clock(clock: ManualClock) -> None:
    async with open_ledger_clock("sqlite:///ledger.sqlite3", clock) as ledger_clock:
        assert ledger_clock is clock
