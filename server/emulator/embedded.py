"""The emulator on a real socket inside the running event loop: how a server without keys, and a test, use it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from atelier_mcp.server.emulator.app import create_app
from atelier_mcp.server.emulator.faults import CLOSE_CONNECTION
from atelier_mcp.server.emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Generator
    from types import TracebackType
    from typing import Self

    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.state import EmulatorState

LOOPBACK: Final = "127.0.0.1"
WEB_SOCKETS: Final = "uvicorn.protocols.websockets.websockets_sansio_impl:WebSocketsSansIOProtocol"
"""Loaded when the emulator starts; without its library, services have no sockets."""
GRACE_S: Final = 0.25
"""How long calls in hand may still take when the emulator is left."""


class EmbeddedEmulator:
    """Serves the emulator from ``async with`` on; ``base_url`` is its address, without a slash at the end."""

    def __init__(
        self,
        engine: Engine,
        settings: EmulatorSettings | None = None,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        host: str = LOOPBACK,
        port: int = 0,
    ) -> None:
        """Serve on ``port``, a free one when 0; the engine must outlive the emulator."""
        self.app: Starlette = create_app(settings or EmulatorSettings(), engine, clock, rng=rng)
        self.base_url: str = ""
        self._address = (host, port)
        self._stack = AsyncExitStack()

    @property
    def state(self) -> EmulatorState:
        """What is behind the routes: tasks, clock, faults, accounts, for a test to reach into."""
        return self.app.state.emulator

    async def __aenter__(self) -> Self:
        # What was opened is closed again when a later step fails, a taken port for one.
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(_bind_socket(*self._address))
            host, port = listener.getsockname()[:2]
            self.base_url = f"http://{host}:{port}"
            server = _Server(_build_config(self.app))
            await stack.enter_async_context(self.app.router.lifespan_context(self.app))
            await stack.enter_async_context(_serve(server, listener))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def _serve(server: _Server, listener: socket.socket) -> AsyncGenerator[None]:
    """Answer requests as long as the context lasts."""
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(sockets=[listener]), name="emulator")
        try:
            # Only then may the address be told: a client that is faster would be refused.
            await server.ready.wait()
            yield
        finally:
            server.stop_requested.set()


def _build_config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws=WEB_SOCKETS if find_spec("websockets") is not None else "none",
        lifespan="off",
        date_header=False,
        server_header=False,
        log_config=None,
        access_log=False,
        # Longer than any client keeps an idle connection: it is never closed while a submit leaves on it, not even
        # where this process was too busy to count the seconds.
        timeout_keep_alive=75,
    )


def _bind_socket(host: str, port: int) -> socket.socket:
    # With the protocol number left at 0 asyncio does not set TCP_NODELAY, and every call takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name != "nt":  # where it would let two programs have one port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """A server that leaves signals and time to the program it is in, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop_requested = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def main_loop(self) -> None:
        """Wait for the end instead of looking for it ten times a second; the Date header that ticks for is off."""
        await self.stop_requested.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Let calls in hand end within the grace, then close; without the pauses a server of the public makes."""
        # First no new connections, then no new requests on the old ones, then the end of those in hand.
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if tasks := set(self.server_state.tasks):
            _, unfinished = await asyncio.wait(tasks, timeout=GRACE_S)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # in which the connections learn of their end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class _Protocol(H11Protocol):
    """A connection that the application can close, which is how an answer gets lost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app: Any = self.app

        async def call_with_close_extension(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**(scope.get("extensions") or {}), CLOSE_CONNECTION: self.transport.close}
            await app(scope, receive, send)

        self.app: Any = call_with_close_extension
