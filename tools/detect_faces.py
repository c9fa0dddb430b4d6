"""Find the faces in a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import DetectFaces
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class DetectFacesArguments(DetectFaces, WaitArguments):
    """The flat arguments of ``detect_faces``."""


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False)
async def detect_faces(arguments: DetectFacesArguments, context: ToolContext) -> JobResult:
    """Find the faces in a picture: number and box in pixels, for swap_faces. No picture is made."""
    return await run_job(arguments, context)
