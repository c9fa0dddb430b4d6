"""google-genai: its own converter has to take every schema; the calls go through the MCP SDK's session."""

from __future__ import annotations

from contextlib import asynccontextmanager

from _checks import describe_blocks, run
from _session import open_session
from google.genai._mcp_utils import mcp_to_gemini_tools


@asynccontextmanager
async def open_tools(target):
    async with open_session(target) as session:
        tools = (await session.list_tools()).tools
        converted = mcp_to_gemini_tools(tools)
        names = [declaration.name for tool in converted for declaration in tool.function_declarations]
        parameters = {
            declaration.name: declaration.parameters for tool in converted for declaration in tool.function_declarations
        }
        if any(
            parameters[tool.name] is None
            for tool in tools
            if "properties" in tool.model_dump(by_alias=True)["inputSchema"]
        ):
            raise ValueError("a tool lost its arguments")

        async def call(name, arguments):
            return describe_blocks((await session.call_tool(name, arguments)).content)

        yield names, call


run(open_tools)
