"""Lift the main subject out of a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import SegmentImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class SegmentImageArguments(SegmentImage, WaitArguments):
    """The flat arguments of ``segment_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def segment_image(arguments: SegmentImageArguments, context: ToolContext) -> JobResult:
    """Lift the main subject out of a picture onto transparency, without marking it. Costs money."""
    return await run_job(arguments, context)
