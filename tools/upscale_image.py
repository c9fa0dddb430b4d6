"""Enlarge a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import UpscaleImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class UpscaleImageArguments(UpscaleImage, WaitArguments):
    """The flat arguments of ``upscale_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def upscale_image(arguments: UpscaleImageArguments, context: ToolContext) -> JobResult:
    """Enlarge a picture up to three times, with more detail. Costs money."""
    return await run_job(arguments, context)
