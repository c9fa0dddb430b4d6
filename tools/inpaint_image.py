"""Draw a marked area of a picture anew."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._mask import resolve_mask


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def inpaint_image(request: InpaintImage, context: ToolContext) -> JobResult:
    """Draw the marked area anew from a prompt; the rest stays. Costs money."""
    return await context.run(await resolve_mask(request, context))
