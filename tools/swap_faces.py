"""Put other faces into a picture."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def swap_faces(request: SwapFaces, context: ToolContext) -> JobResult:
    """Replace up to four faces in a picture. Costs money."""
    return await context.run(request)
