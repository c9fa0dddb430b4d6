"""An emulator on a real socket with a clock moved by hand and an engine that draws in no time."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    NewSite = Callable[..., Awaitable[EmulatorHarness]]


@pytest.fixture
def clock() -> ManualUnixClock:
    return ManualUnixClock()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def new_site(clock: ManualUnixClock, engine: FakeEngine) -> AsyncGenerator[NewSite]:
    """Starts emulators; keyword arguments are settings. All share the clock and the engine."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> EmulatorHarness:
            return await stack.enter_async_context(EmulatorHarness(EmulatorSettings(**settings), engine, clock))

        yield start


@pytest.fixture
async def site(new_site: NewSite) -> EmulatorHarness:
    """An emulator with the default settings."""
    return await new_site()
