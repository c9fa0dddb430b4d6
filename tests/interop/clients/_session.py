"""A session of the MCP SDK, for clients that convert what it gives."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

try:
    from mcp.client.streamable_http import streamable_http_client as http_client
except ImportError:
    from mcp.client.streamable_http import streamablehttp_client as http_client


@asynccontextmanager
async def open_session(target):
    """An initialized session."""
    async with AsyncExitStack() as stack:
        if target.is_http:
            streams = await stack.enter_async_context(http_client(target.url))
        else:
            server = StdioServerParameters(command=target.command[0], args=target.command[1:], env=target.environ)
            streams = await stack.enter_async_context(stdio_client(server))
        session = await stack.enter_async_context(ClientSession(streams[0], streams[1]))
        await session.initialize()
        yield session
