"""Find the outline of a roughly marked subject."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import CutOutSubject
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._mask import resolve_mask


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True)
async def cut_out_subject(request: CutOutSubject, context: ToolContext) -> JobResult:
    """Find the exact outline of a roughly marked subject: a mask for inpaint_image or erase_object. Costs money."""
    return await context.run(await resolve_mask(request, context))
