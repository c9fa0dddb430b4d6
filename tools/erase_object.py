"""Remove what is marked."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import EraseObject
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._mask import resolve_mask


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def erase_object(request: EraseObject, context: ToolContext) -> JobResult:
    """Remove what is marked and fill its place from around it. Costs money."""
    return await context.run(await resolve_mask(request, context))
