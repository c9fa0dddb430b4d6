"""Put other faces into a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class SwapFacesArguments(SwapFaces, WaitArguments):
    """The flat arguments of ``swap_faces``."""


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False)
async def swap_faces(arguments: SwapFacesArguments, context: ToolContext) -> JobResult:
    """Replace up to four faces in a picture; with one face each, no numbers are needed. Costs money."""
    return await run_job(arguments, context)
