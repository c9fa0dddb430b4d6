"""Draw a marked area of a picture anew."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job
from atelier_mcp.tools._mask import resolve_mask


class InpaintImageArguments(InpaintImage, WaitArguments):
    """The flat arguments of ``inpaint_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def inpaint_image(arguments: InpaintImageArguments, context: ToolContext) -> JobResult:
    """Draw the marked area of a picture anew from a prompt; the rest stays. Costs money."""
    return await run_job(await resolve_mask(arguments, context), context)
