"""Enlarge a picture."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import UpscaleImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def upscale_image(request: UpscaleImage, context: ToolContext) -> JobResult:
    """Enlarge a picture up to three times, with more detail. Costs money."""
    return await context.run(request)
