"""What the doors of one emulator share: its settings, clock, accounts, faults, tasks, links and sources."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.access_log import AccessLog
from atelier_mcp.server.emulator.accounts import Accounts
from atelier_mcp.server.emulator.callbacks import Callbacks
from atelier_mcp.server.emulator.clock import EmulatorClock
from atelier_mcp.server.emulator.faults import FaultQueue
from atelier_mcp.server.emulator.links import Links
from atelier_mcp.server.emulator.sources import Sources
from atelier_mcp.server.emulator.task_store import TaskStore
from atelier_mcp.server.emulator.tasks import Tasks

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable

    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.tasks import Engine


class World:
    """One emulator without its doors."""

    def __init__(
        self, settings: EmulatorSettings, engine: Engine, *, clock: Callable[[], float], dice: random.Random
    ) -> None:
        """Put the parts together; nothing is opened yet."""
        self._settings = settings
        self.engine = engine
        self.clock = EmulatorClock(clock)
        self.dice = dice
        self.accounts = Accounts()
        self.faults = FaultQueue()
        self.log = AccessLog(settings.access_log)
        self.store = TaskStore()
        self.links = Links(self.store, self.clock)
        self.sources = Sources(self.links, self.store)
        self.tasks = Tasks(self.store, engine, clock=self.clock, dice=dice, settings=settings)
        self.callbacks = Callbacks(self.tasks)

    @property
    def settings(self) -> EmulatorSettings:
        """The settings as they are now: the control door can change them."""
        return self._settings

    @settings.setter
    def settings(self, settings: EmulatorSettings) -> None:
        self._settings = self.tasks.settings = settings

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open the folder and work in the background as long as the context lasts."""
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(self._open, stack)
            stack.push_async_callback(self.sources.close)
            await stack.enter_async_context(self.log.running())
            await stack.enter_async_context(self.tasks.running())
            await stack.enter_async_context(self.callbacks.running())
            opened = stack.pop_all()
        try:
            yield
        finally:
            # An error of who uses the world is theirs: a task group that saw it would wrap it up.
            await opened.aclose()

    def _open(self, stack: AsyncExitStack) -> None:
        folder = self.settings.state_dir
        if folder is None:
            # A rendering dropped in its thread at the end may still write: what it leaves is the system's to clear.
            temporary = TemporaryDirectory(prefix="atelier-emulator-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        self.store.open(folder)
        self.links.open()
