"""The Anthropic SDK's helpers: an MCP tool as its tool runner takes it."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import describe_blocks, run
from _session import open_session
from anthropic.lib.tools.mcp import async_mcp_tool


@asynccontextmanager
async def open_tools(target):
    async with open_session(target) as session:
        tools = {tool.name: async_mcp_tool(tool, session) for tool in (await session.list_tools()).tools}

        async def call(name, arguments):
            return describe_blocks(await tools[name].call(arguments))

        yield list(tools), call


run(open_tools)
