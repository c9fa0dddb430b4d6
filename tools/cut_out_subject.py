"""Lift a subject out of a picture."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import CutOutSubject
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._mask import resolve_mask


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def cut_out_subject(request: CutOutSubject, context: ToolContext) -> JobResult:
    """Lift out the main subject, or the one roughly marked: a transparent cut-out and its mask. Costs money."""
    return await context.run(await resolve_mask(request, context))
