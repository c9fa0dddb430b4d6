"""Redraw a picture in a style."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import StylizeImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def stylize_image(request: StylizeImage, context: ToolContext) -> JobResult:
    """Redraw a picture in a style. Costs money."""
    return await context.run(request)
