"""The SDK's server with calls by any name: of the list, of an earlier version, or of nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from atelier_mcp.server.service_host import ServiceHost
from atelier_mcp.server.tool_names import RENAMED_TOOLS, explain_missing_tool

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from atelier_mcp.server.settings import Settings


class ToolServer(MCPServer[ServiceHost]):
    """Answers a call by a former name with a line that says the new one, and a call by a wrong name with the reason."""

    def __init__(self, *, settings: Settings, **options: Any) -> None:
        """Serve the tools of ``settings``; ``options`` are the SDK's."""
        super().__init__(**options)
        self._settings = settings
        self._tool_names = frozenset(tool.name for tool in options["tools"])

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[ServiceHost, Any] | None = None
    ) -> types.CallToolResult | types.InputRequiredResult:
        """What the tool answers. Raises ``ToolError`` where there is none of that name."""
        if name in self._tool_names:
            return await super().call_tool(name, arguments, context)
        current_name = RENAMED_TOOLS.get(name, "")
        if current_name not in self._tool_names:
            missing = await asyncio.to_thread(explain_missing_tool, name, self._settings)
            raise ToolError(f"{missing.problem}\nNothing was done. {missing.remedy}")
        result = await super().call_tool(current_name, arguments, context)
        if isinstance(result, types.CallToolResult):
            result.content.append(types.TextContent(type="text", text=f"{name} is called {current_name} now."))
        return result
