"""Find the faces in a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import DetectFaces
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(DetectFaces, Waiting):
    """The flat arguments of ``detect_faces``."""


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False)
async def detect_faces(arguments: Arguments, studio: Studio) -> JobResult:
    """Find the faces in a picture: number and box in pixels, for swap_faces. No picture is made."""
    return await run(arguments, studio)
