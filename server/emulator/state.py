"""What the routes of one emulator share: its settings, clock, accounts, faults, tasks, links and sources."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.access_log import AccessLog
from atelier_mcp.server.emulator.accounts import AccountRegistry
from atelier_mcp.server.emulator.callbacks import CallbackSender
from atelier_mcp.server.emulator.clock import EmulatorClock
from atelier_mcp.server.emulator.engine_calls import call_engine
from atelier_mcp.server.emulator.faults import FaultQueue
from atelier_mcp.server.emulator.links import SignedLinks
from atelier_mcp.server.emulator.sources import SourceLoader
from atelier_mcp.server.emulator.task_store import TaskStore
from atelier_mcp.server.emulator.tasks import TaskService
from atelier_mcp.server.images.workers import ImageWorkers

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.settings import EmulatorSettings

MAX_IMAGE_BYTES: Final = 800_000_000
"""Of memory for pictures being read."""


class EmulatorState:
    """One emulator without its routes."""

    def __init__(
        self,
        settings: EmulatorSettings,
        engine: Engine,
        *,
        accounts: Iterable[Account],
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        """Put the parts together; nothing is opened yet. ``rng`` makes ids, and seeds where a request gives none."""
        self._settings = settings
        self.engine = engine
        self.clock: EmulatorClock = EmulatorClock(clock)
        self.rng = rng
        self.accounts: AccountRegistry = AccountRegistry(accounts)
        self.faults: FaultQueue = FaultQueue()
        self.log: AccessLog = AccessLog(settings.access_log)
        self.store: TaskStore = TaskStore()
        self.links: SignedLinks = SignedLinks(self.store, self.clock)
        # Headers and edges are all it reads: one worker does, and less memory.
        self.image_workers: ImageWorkers = ImageWorkers(most_workers=1, total_bytes=MAX_IMAGE_BYTES)
        self.sources: SourceLoader = SourceLoader(
            self.links, self.store, self.image_workers, guards_links=settings.guards_links
        )
        self.tasks: TaskService = TaskService(self.store, engine, clock=self.clock, rng=rng, settings=settings)
        self.callbacks: CallbackSender = CallbackSender(self.tasks)
        self._background: list[Callable[[], AbstractAsyncContextManager[None]]] = []

    @property
    def settings(self) -> EmulatorSettings:
        """The settings as they are now: the control API can change them."""
        return self._settings

    @settings.setter
    def settings(self, settings: EmulatorSettings) -> None:
        self._settings = self.tasks.settings = settings

    def add_background(self, work: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        """Have an upstream's own background work done as long as the emulator runs; called before it does."""
        self._background.append(work)

    async def run_engine(self, function: str, **arguments: Any) -> Any:
        """The result of one of the engine's functions, at once; ValueError when it refuses what it was given."""
        return await call_engine(self.engine, function, **arguments)

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Open the folder and work in the background as long as the context lasts."""
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(self._open, stack)
            await stack.enter_async_context(self.image_workers)
            stack.push_async_callback(self.sources.close)
            await stack.enter_async_context(self.log.run())
            await stack.enter_async_context(self.tasks.run())
            await stack.enter_async_context(self.callbacks.run())
            for work in self._background:
                await stack.enter_async_context(work())
            # Opened completely or not at all.
            resources = stack.pop_all()
        try:
            yield
        finally:
            # An error of who uses the emulator is theirs: a task group that saw it would wrap it up.
            await resources.aclose()

    def _open(self, stack: AsyncExitStack) -> None:
        folder = self.settings.state_dir
        if folder is None:
            # A rendering dropped in its thread at the end may still write: what it leaves is the system's to clear.
            temporary = TemporaryDirectory(prefix="atelier-emulator-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        self.store.open(folder)
        self.links.load_key()
