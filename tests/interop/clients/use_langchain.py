"""langchain-mcp-adapters: tools as LangChain has them."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import Answer, describe_blocks, run
from langchain_mcp_adapters.client import MultiServerMCPClient


@asynccontextmanager
async def open_tools(target):
    server = (
        {"transport": "streamable_http", "url": target.url}
        if target.is_http
        else {
            "transport": "stdio",
            "command": target.command[0],
            "args": target.command[1:],
            "env": target.environ,
        }
    )
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"atelier": server}).get_tools()}

    async def call(name, arguments) -> Answer:
        message = await tools[name].ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
        return describe_blocks(message.content)

    yield list(tools), call


run(open_tools)
