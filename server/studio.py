"""What a tool is given: the rooms of the studio, opened on first use, and the line back to the caller."""

from __future__ import annotations

import asyncio
import contextlib
import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pictures import Pictures
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.settings import Settings

TICK_S = 1.0
USUAL_WAIT_S = 10.0
"""Sets the pace of a progress bar whose service says nothing of progress."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The opened parts of the server."""

    settings: Settings
    clock: Clock
    jobs: JobService
    pictures: Pictures
    images: ImageStore
    files: LocalFiles
    router: Router


@dataclass(frozen=True, slots=True)
class Studio:
    """The rooms, for one call of one caller."""

    rooms: Rooms
    caller: str
    progress: Progress
    started_s: float
    """The clock's monotonic time when the call came in: a wait counts from here."""

    def left_s(self, wait_s: float) -> float:
        """What remains of a wait of ``wait_s`` that began with the call."""
        return max(0.0, wait_s - (self.rooms.clock.monotonic() - self.started_s))


class Progress:
    """Tells the caller how far a call is; always forward, at most once a second.

    Where the service names no share, the bar creeps towards the end and never reaches it.
    """

    def __init__(self, context: Context[Any, Any], clock: Clock) -> None:
        """Report to the request of ``context``; without a progress token nothing is sent."""
        self._context = context
        self._clock = clock
        self._began_s = clock.monotonic()
        self._share = 0.0
        self._words = ""
        self._sent = 0.0

    def note(self, share: float | None, words: str) -> None:
        """Hold the latest news for the next tick."""
        if share is not None:
            self._share = max(self._share, min(share, 1.0))
        self._words = words or self._words

    async def tick(self) -> None:
        """Report once a second until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            elapsed_s = self._clock.monotonic() - self._began_s
            creeping = 0.95 * (1 - math.exp(-elapsed_s / USUAL_WAIT_S))
            value = round(max(self._share, creeping), 3)
            if value > self._sent:
                self._sent = value
                await self._context.report_progress(value, 1.0, f"{self._words or 'working'}, {elapsed_s:.0f} s")


class Services:
    """Opens the rooms when the first tool needs them and closes them with the server.

    One task enters and leaves everything, because task groups must be left where they were entered.
    """

    def __init__(
        self, open_rooms: Callable[[], AbstractAsyncContextManager[Rooms]], *, clock: Clock, transport: str = "stdio"
    ) -> None:
        """Hold the way to open the rooms; nothing is opened yet."""
        self._open_rooms = open_rooms
        self._clock = clock
        self._transport = transport
        self._rooms: asyncio.Future[Rooms] | None = None
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Services, None]:
        """Be ready to open; on leaving, everything that was opened is closed."""
        self._wanted, self._closing = asyncio.Event(), asyncio.Event()
        self._rooms = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._keep(), name="services")
            try:
                yield self
            finally:
                self._closing.set()
                self._wanted.set()

    async def rooms(self) -> Rooms:
        """The opened rooms; opens them if need be, and raises what opening raised."""
        if self._rooms is None:
            raise RuntimeError("the services are used outside of serving()")
        self._wanted.set()
        return await asyncio.shield(self._rooms)

    @asynccontextmanager
    async def studio(self, context: Context[Any, Any]) -> AsyncGenerator[Studio, None]:
        """The studio for one call, with progress running while it lasts."""
        started_s = self._clock.monotonic()
        rooms = await self.rooms()
        progress = Progress(context, self._clock)
        if self._tasks is None:
            raise RuntimeError("the services are used outside of serving()")
        ticking = self._tasks.create_task(progress.tick(), name="progress")
        try:
            yield Studio(rooms=rooms, caller=self._caller(context), progress=progress, started_s=started_s)
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking

    def _caller(self, context: Context[Any, Any]) -> str:
        """Who calls: everyone on this machine's stdio is one caller; over HTTP, whoever holds the token."""
        if self._transport == "stdio":
            return "local"
        import hashlib

        bearer = (context.headers or {}).get("authorization", "")
        return "http:" + hashlib.sha256(bearer.encode()).hexdigest()[:12]

    async def _keep(self) -> None:
        while True:
            await self._wanted.wait()
            if self._closing.is_set():
                return
            try:
                async with self._open_rooms() as rooms:
                    self._settle(rooms)
                    await self._closing.wait()
            except Exception as err:  # noqa: BLE001  # whatever it is, it belongs to the calls that wait
                self._fail(err)

    def _settle(self, rooms: Rooms) -> None:
        if self._rooms and not self._rooms.done():
            self._rooms.set_result(rooms)

    def _fail(self, err: Exception) -> None:
        """Hand the error to who waits, and try afresh for the next call: a lock or a full disk may be gone by then."""
        if self._rooms is None or self._rooms.done():
            raise err
        self._rooms.set_exception(err)
        self._rooms.exception()  # seen, even if nobody waits any more
        self._rooms = asyncio.get_running_loop().create_future()
        self._wanted.clear()
