"""Extend a picture beyond its borders."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def outpaint_image(request: OutpaintImage, context: ToolContext) -> JobResult:
    """Extend a picture beyond its borders: by sides, to an aspect, by a scale or onto a canvas. Costs money."""
    return await context.run(request)
