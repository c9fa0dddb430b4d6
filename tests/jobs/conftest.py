"""A clock, an upstream and a jobs room for every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jobs.doubles import HandRoom, ScriptedProvider, open_hand_room
from jobs.hand_clock import HandClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@pytest.fixture
def clock() -> HandClock:
    """Time, standing still."""
    return HandClock()


@pytest.fixture
def provider(clock: HandClock) -> ScriptedProvider:
    """The upstream."""
    return ScriptedProvider(clock)


@pytest.fixture
async def room(tmp_path: Path, provider: ScriptedProvider, clock: HandClock) -> AsyncGenerator[HandRoom]:
    """A jobs room with nothing in it."""
    async with open_hand_room(tmp_path, provider, clock) as opened:
        yield opened
