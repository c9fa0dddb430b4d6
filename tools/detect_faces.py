"""Find the faces in a picture."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import DetectFaces
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False, waits=True, hidden_options=("wait_s",))
async def detect_faces(request: DetectFaces, context: ToolContext) -> JobResult:
    """Find the faces in a picture: number and box in pixels, for swap_faces. Costs a call, no picture."""
    return await context.run(request)
