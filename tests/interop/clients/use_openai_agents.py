"""openai-agents: the items that a tool call becomes for the Responses API."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import describe_blocks, run
from agents import RunContextWrapper
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp, MCPUtil


@asynccontextmanager
async def open_tools(target):
    options = {"client_session_timeout_seconds": 120}
    server = (
        MCPServerStreamableHttp(params={"url": target.url, "timeout": 60}, **options)
        if target.is_http
        else MCPServerStdio(
            params={"command": target.command[0], "args": target.command[1:], "env": target.environ}, **options
        )
    )
    async with server:
        tools = await server.list_tools()
        by_name = {tool.name: tool for tool in tools}
        for tool in tools:
            MCPUtil.to_function_tool(tool, server, convert_schemas_to_strict=True)

        async def call(name, arguments):
            import json

            context = RunContextWrapper(context=None)
            output = await MCPUtil.invoke_mcp_tool(server, by_name[name], context, json.dumps(arguments))
            return describe_blocks(output)

        yield list(by_name), call


run(open_tools)
