"""What a tool is given: the services, opened on first use, and progress reports back to the caller."""

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

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.settings import Settings

REPORT_INTERVAL_S = 1.0
TYPICAL_WAIT_S = 10.0
"""Sets the pace of a progress bar whose service says nothing of progress."""


@dataclass(frozen=True, slots=True)
class Services:
    """The opened parts of the server."""

    settings: Settings
    clock: Clock
    jobs: JobService
    image_pipeline: ImagePipeline
    image_store: ImageStore
    local_files: LocalFiles
    router: Router


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The services, for one call of one caller."""

    services: Services
    caller: str
    progress: ProgressReporter
    started_s: float
    """The clock's monotonic time when the call came in: a wait counts from here."""

    def compute_remaining_s(self, wait_s: float) -> float:
        """What remains of a wait of ``wait_s`` that began with the call."""
        return max(0.0, wait_s - (self.services.clock.monotonic() - self.started_s))


class ProgressReporter:
    """Tells the caller how far a call is; always forward, at most once a second.

    Where the service names no share, the bar creeps towards the end and never reaches it.
    """

    def __init__(self, context: Context[Any, Any], clock: Clock) -> None:
        """Report to the request of ``context``; without a progress token nothing is sent."""
        self._context = context
        self._clock = clock
        self._started_s = clock.monotonic()
        self._fraction = 0.0
        self._message = ""
        self._last_value = 0.0

    def update(self, fraction: float | None, message: str) -> None:
        """Hold the latest news for the next tick."""
        if fraction is not None:
            self._fraction = max(self._fraction, min(fraction, 1.0))
        self._message = message or self._message

    async def run(self) -> None:
        """Report once a second until cancelled."""
        while True:
            await self._clock.sleep(REPORT_INTERVAL_S)
            elapsed_s = self._clock.monotonic() - self._started_s
            estimate = 0.95 * (1 - math.exp(-elapsed_s / TYPICAL_WAIT_S))
            value = round(max(self._fraction, estimate), 3)
            if value > self._last_value:
                self._last_value = value
                await self._context.report_progress(value, 1.0, f"{self._message or 'working'}, {elapsed_s:.0f} s")


class ServiceHost:
    """Opens the services when the first tool needs them and closes them with the server.

    One task enters and leaves everything, because task groups must be left where they were entered.
    """

    def __init__(
        self,
        open_services: Callable[[], AbstractAsyncContextManager[Services]],
        *,
        clock: Clock,
        transport: str = "stdio",
    ) -> None:
        """Hold the way to open the services; nothing is opened yet."""
        self._open_services = open_services
        self._clock = clock
        self._transport = transport
        self._services: asyncio.Future[Services] | None = None
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[ServiceHost, None]:
        """Be ready to open; on leaving, everything that was opened is closed."""
        self._open_requested, self._close_requested = asyncio.Event(), asyncio.Event()
        self._services = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._hold_services(), name="services")
            try:
                yield self
            finally:
                self._close_requested.set()
                self._open_requested.set()

    async def get_services(self) -> Services:
        """The opened services; opens them if need be, and raises what opening raised."""
        if self._services is None:
            raise RuntimeError("the services are used outside of run()")
        self._open_requested.set()
        return await asyncio.shield(self._services)

    @asynccontextmanager
    async def open_context(self, context: Context[Any, Any]) -> AsyncGenerator[ToolContext, None]:
        """The tool context for one call, with progress running while it lasts."""
        started_s = self._clock.monotonic()
        services = await self.get_services()
        progress = ProgressReporter(context, self._clock)
        if self._tasks is None:
            raise RuntimeError("the services are used outside of run()")
        progress_task = self._tasks.create_task(progress.run(), name="progress")
        try:
            yield ToolContext(
                services=services, caller=self._identify_caller(context), progress=progress, started_s=started_s
            )
        finally:
            progress_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress_task

    def _identify_caller(self, context: Context[Any, Any]) -> str:
        """Who calls: everyone on this machine's stdio is one caller; over HTTP, whoever holds the token."""
        if self._transport == "stdio":
            return "local"
        import hashlib

        bearer = (context.headers or {}).get("authorization", "")
        return "http:" + hashlib.sha256(bearer.encode()).hexdigest()[:12]

    async def _hold_services(self) -> None:
        while True:
            await self._open_requested.wait()
            if self._close_requested.is_set():
                return
            try:
                async with self._open_services() as services:
                    self._set_services(services)
                    await self._close_requested.wait()
            except Exception as err:  # noqa: BLE001  # whatever it is, it belongs to the calls that wait
                self._set_error(err)

    def _set_services(self, services: Services) -> None:
        if self._services and not self._services.done():
            self._services.set_result(services)

    def _set_error(self, err: Exception) -> None:
        """Hand the error to who waits, and try afresh for the next call: a lock or a full disk may be gone by then."""
        if self._services is None or self._services.done():
            raise err
        self._services.set_exception(err)
        self._services.exception()  # seen, even if nobody waits any more
        self._services = asyncio.get_running_loop().create_future()
        self._open_requested.clear()
