"""llama-index-tools-mcp: function tools; it hands pictures on inside of its text."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import Answer, run
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


@asynccontextmanager
async def open_tools(target):
    client = (
        BasicMCPClient(target.url, timeout=120)
        if target.is_http
        else BasicMCPClient(target.command[0], args=target.command[1:], env=target.environ, timeout=120)
    )
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}

    async def call(name, arguments):
        output = await tools[name].acall(**arguments)
        return Answer(str(output.content), str(output.raw_output).count("image/jpeg"))

    yield list(tools), call


run(open_tools)
