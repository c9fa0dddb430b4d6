"""A clock, an upstream and a jobs harness for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.doubles import ManualJobsHarness, ScriptedProvider, open_manual_harness
from tests.jobs.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


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
