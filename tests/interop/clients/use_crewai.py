"""crewai-tools: tools as a crew has them, with null for whatever is left out. It hands on text alone."""

from __future__ import annotations

import asyncio
import os

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false")

from contextlib import asynccontextmanager

from _checks import Answer, run
from crewai_tools import MCPServerAdapter
from mcp import StdioServerParameters


@asynccontextmanager
async def open_tools(target):
    server = (
        {"url": target.url, "transport": "streamable-http"}
        if target.is_http
        else StdioServerParameters(command=target.command[0], args=target.command[1:], env=target.environ)
    )
    adapter = await asyncio.to_thread(MCPServerAdapter, server, connect_timeout=60)
    tools = {tool.name: tool for tool in adapter.tools}

    async def call(name, arguments):
        text = str(await asyncio.to_thread(tools[name].run, **arguments))
        return Answer(text, text.count("img_") > 0)

    yield list(tools), call


run(open_tools)
