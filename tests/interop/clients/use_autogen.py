"""autogen-ext: a workbench, as an agent has it."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import Answer, run
from autogen_ext.tools.mcp import McpWorkbench, StdioServerParams, StreamableHttpServerParams


@asynccontextmanager
async def open_tools(target):
    server = (
        StreamableHttpServerParams(url=target.url, timeout=120)
        if target.is_http
        else StdioServerParams(
            command=target.command[0], args=target.command[1:], env=target.environ, read_timeout_seconds=120
        )
    )
    async with McpWorkbench(server) as workbench:

        async def call(name, arguments):
            parts = (await workbench.call_tool(name, arguments)).result
            texts = [part.content for part in parts if part.type == "TextResultContent"]
            return Answer("\n".join(texts), len(parts) - len(texts))

        yield [tool["name"] for tool in await workbench.list_tools()], call


run(open_tools)
