"""A clock, an upstream and a jobs harness for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.jobs.doubles import ManualJobsHarness, ScriptedProvider, open_manual_harness
from tests.support.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

# The same examples on every run and every machine, so that a failure is news of the code and not of the dice.
settings.register_profile(
    "bounded", derandomize=True, database=None, deadline=None, max_examples=80, stateful_step_count=40
)
settings.load_profile("bounded")


@pytest.fixture
def clock() -> ManualClock:
    """Time, standing still."""
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> ScriptedProvider:
    """The upstream."""
    return ScriptedProvider(clock)


@pytest.fixture
async def harness(tmp_path: Path, provider: ScriptedProvider, clock: ManualClock) -> AsyncGenerator[ManualJobsHarness]:
    """A jobs harness with nothing in it."""
    async with open_manual_harness(tmp_path, provider, clock) as opened:
        yield opened
