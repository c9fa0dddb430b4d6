"""The life of the services: opened when the first tool needs them, closed with the server.

    idle --get_services()--> opening --> open --run() is left--> closed
                                |
                                +--error: who waits gets it, and the next call opens afresh--> idle

One task enters and leaves everything, because task groups must be left where they were entered.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.principals import LOCAL, find_principal
from atelier_mcp.server.progress import ProgressReporter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.call_options import CallOptions
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.principals import Principal
    from atelier_mcp.server.services import Services
    from atelier_mcp.server.tool_context import ToolContext


class ServiceHost:
    """Opens the services when the first tool needs them and closes them with the server."""

    def __init__(
        self,
        open_services: Callable[[], AbstractAsyncContextManager[Services]],
        *,
        clock: Clock,
        transport: str = "stdio",
        home: Path | None = None,
    ) -> None:
        """Hold the way to open the services; nothing is opened yet. ``home`` is the data folder."""
        self._open_services = open_services
        self._clock = clock
        self._transport = transport
        self._home = home
        self._services: asyncio.Future[Services] | None = None
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[ServiceHost, None]:
        """Be ready to open; on leaving, everything that was opened is closed."""
        # Made anew for each run: the future belongs to the loop that runs.
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
        # Shielded: a caller that is cancelled must not cancel the future that others wait for.
        return await asyncio.shield(self._services)

    async def get_own_services(self) -> Services:
        """The opened services as the principal of this request may use them. Raises as ``get_services`` does."""
        return (await self.get_services()).for_principal(self.get_principal())

    def end_waits(self) -> None:
        """Let calls that wait for jobs answer now: the server is about to stop."""
        if self._services and self._services.done() and not self._services.exception():
            self._services.result().jobs.end_waits()

    @asynccontextmanager
    async def open_context(self, context: Context[Any, Any], options: CallOptions) -> AsyncGenerator[ToolContext, None]:
        """The tool context for one call, with progress reported while it lasts."""
        from atelier_mcp.server.approval import Approval
        from atelier_mcp.server.mcp_tasks.negotiation import accepts_tasks
        from atelier_mcp.server.tool_context import ToolContext

        started_s = self._clock.monotonic()
        # After the start was noted: the time to open counts as part of the wait.
        services = await self.get_services()
        progress = ProgressReporter(context, self._clock)
        if self._tasks is None:
            raise RuntimeError("the services are used outside of run()")
        # In the host's group and not the call's: a task group here would wrap the tool's errors in an exception group.
        progress_task = self._tasks.create_task(progress.run(), name="progress")
        try:
            principal = self.get_principal()
            yield ToolContext(
                services=services.for_principal(principal),
                principal=principal,
                options=options,
                progress=progress,
                approval=Approval(context),
                accepts_task=accepts_tasks(context),
                started_s=started_s,
            )
        finally:
            progress_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await progress_task

    def get_principal(self) -> Principal:
        """Who calls: everyone on this machine's stdio is one principal; over HTTP, whoever the request came from."""
        if self._transport == "stdio":
            return LOCAL
        principal = find_principal()
        if principal is None:
            raise RuntimeError("over HTTP nothing is done for nobody")
        return principal

    def hide_home(self, text: str) -> str:
        """The text without the path of the data folder, where it goes to another machine."""
        if self._home is None or not self.get_principal().image_url:
            return text
        return text.replace(str(self._home), "ATELIER_HOME")

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
