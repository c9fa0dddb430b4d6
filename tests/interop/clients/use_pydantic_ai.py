"""pydantic-ai: a toolset, and what it hands to an agent."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import Answer, run
from fastmcp.client.transports import StdioTransport
from pydantic_ai import BinaryContent
from pydantic_ai.mcp import MCPToolset


@asynccontextmanager
async def open_tools(target):
    source = target.url or StdioTransport(target.command[0], target.command[1:], env=target.environ)
    async with MCPToolset(source, init_timeout=60, read_timeout=120) as toolset:

        async def call(name, arguments):
            result = await toolset.direct_call_tool(name, arguments)
            parts = result if isinstance(result, list) else [result]
            texts = [str(part) for part in parts if not isinstance(part, BinaryContent)]
            return Answer("\n".join(texts), len(parts) - len(texts))

        yield [tool.name for tool in await toolset.list_tools()], call


run(open_tools)
