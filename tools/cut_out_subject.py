"""Find the outline of a roughly marked subject."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import CutOutSubject
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job
from atelier_mcp.tools._mask import resolve_mask


class CutOutSubjectArguments(CutOutSubject, WaitArguments):
    """The flat arguments of ``cut_out_subject``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def cut_out_subject(arguments: CutOutSubjectArguments, context: ToolContext) -> JobResult:
    """Find the exact outline of a roughly marked subject: a mask for inpaint_image or erase_object. Costs money."""
    return await run_job(await resolve_mask(arguments, context), context)
