"""Redraw a picture in a style."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import StylizeImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class StylizeImageArguments(StylizeImage, WaitArguments):
    """The flat arguments of ``stylize_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def stylize_image(arguments: StylizeImageArguments, context: ToolContext) -> JobResult:
    """Redraw a picture in a style. Costs money."""
    return await run_job(arguments, context)
