"""Remove what is marked."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import EraseObject
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job
from atelier_mcp.tools._mask import resolve_mask


class EraseObjectArguments(EraseObject, WaitArguments):
    """The flat arguments of ``erase_object``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def erase_object(arguments: EraseObjectArguments, context: ToolContext) -> JobResult:
    """Remove what is marked from a picture and fill its place from around it. Costs money."""
    return await run_job(await resolve_mask(arguments, context), context)
