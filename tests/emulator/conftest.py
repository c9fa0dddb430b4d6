"""An emulator on a real socket with a clock moved by hand and an engine that draws in no time."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from emulated import HandClock, PaintBox, Site

from atelier_mcp.server.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    NewSite = Callable[..., Awaitable[Site]]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine() -> PaintBox:
    return PaintBox()


@pytest.fixture
async def new_site(clock: HandClock, engine: PaintBox) -> AsyncGenerator[NewSite]:
    """Starts emulators; keyword arguments are settings. All share the clock and the engine."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Site:
            return await stack.enter_async_context(Site(EmulatorSettings(**settings), engine, clock))

        yield start


@pytest.fixture
async def site(new_site: NewSite) -> Site:
    """An emulator with the default settings."""
    return await new_site()
