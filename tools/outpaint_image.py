"""Extend a picture beyond its borders."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class OutpaintImageArguments(OutpaintImage, WaitArguments):
    """The flat arguments of ``outpaint_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def outpaint_image(arguments: OutpaintImageArguments, context: ToolContext) -> JobResult:
    """Extend a picture beyond its borders: by a ratio, or onto a canvas with the source at a place. Costs money."""
    return await run_job(arguments, context)
