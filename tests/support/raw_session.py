"""A server's stdio without a client's library: lines go in through a pipe, and lines come out."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.stdio import serve_streams

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from mcp.server.mcpserver import MCPServer

BOUND_S = 20.0


class RawSession:
    """Sends lines as they are, and reads the answers."""

    def __init__(self) -> None:
        """Connected to nothing yet."""
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ids = itertools.count(1)

    async def read_lines(self) -> AsyncIterator[bytes]:
        """What the server reads."""
        while (line := await self._lines.get()) is not None:
            yield line

    async def write_line(self, line: str) -> None:
        """What the server writes; notifications are dropped."""
        message = json.loads(line)
        if "method" not in message:
            await self._answers.put(message)

    def send(self, line: bytes | str | dict[str, Any]) -> None:
        """One line, or a message as one."""
        text = json.dumps({"jsonrpc": "2.0", **line}) if isinstance(line, dict) else line
        self._lines.put_nowait(text.encode() if isinstance(text, str) else text)

    async def receive(self) -> dict[str, Any]:
        """The next answer."""
        async with asyncio.timeout(BOUND_S):
            return await self._answers.get()

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request, sent while no other is under way."""
        request_id = next(self._ids)
        self.send({"id": request_id, "method": method, "params": params})
        answer = await self.receive()
        assert answer["id"] == request_id
        return answer["result"]

    async def initialize(self, revision: str) -> dict[str, Any]:
        """Open a session of a revision."""
        client = {"name": "test", "version": "1"}
        result = await self.request("initialize", protocolVersion=revision, capabilities={}, clientInfo=client)
        self.send({"method": "notifications/initialized"})
        return result

    def close(self) -> None:
        """The end of the server's input."""
        self._lines.put_nowait(None)


@asynccontextmanager
async def open_raw_session(server: MCPServer[Any]) -> AsyncGenerator[RawSession]:
    """Serve over two queues in place of stdin and stdout."""
    session = RawSession()
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # what run_stdio_async serves, too
    options = low_level.create_initialization_options()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            serve_streams(
                lambda incoming, outgoing: low_level.run(incoming, outgoing, options),
                session.read_lines(),
                session.write_line,
            ),
            name="raw session",
        )
        try:
            yield session
        finally:
            session.close()
