"""Lift the main subject out of a picture."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import SegmentImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True)
async def segment_image(request: SegmentImage, context: ToolContext) -> JobResult:
    """Lift the main subject out of a picture onto transparency, without marking it. Costs money."""
    return await context.run(request)
