"""mcp-use: its LangChain adapter, which fills in null for whatever is left out."""

from __future__ import annotations

import os

os.environ["MCP_USE_ANONYMIZED_TELEMETRY"] = "false"

from contextlib import asynccontextmanager

from _checks import describe_blocks, run
from mcp_use.agents.adapters.langchain_adapter import LangChainAdapter
from mcp_use.client import MCPClient


@asynccontextmanager
async def open_tools(target):
    server = (
        {"url": target.url}
        if target.is_http
        else {"command": target.command[0], "args": target.command[1:], "env": target.environ}
    )
    client = MCPClient({"mcpServers": {"atelier": server}})
    session = await client.create_session("atelier")
    tools = {tool.name: tool for tool in await LangChainAdapter().create_tools(client)}

    async def call(name, arguments):
        result = await tools[name].ainvoke(arguments)
        if isinstance(result, str):  # it writes the result out, pictures too
            answer = describe_blocks(result)
            return type(answer)(answer.text, result.count("ImageContent") + result.count("image/jpeg"))
        return describe_blocks(getattr(result, "content", result))

    yield list(tools), call
    await session.disconnect()


run(open_tools)
