"""Put other faces into a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(SwapFaces, Waiting):
    """The flat arguments of ``swap_faces``."""


@tool(toolset="faces", read_only=False, destructive=False, idempotent=False)
async def swap_faces(arguments: Arguments, studio: Studio) -> JobResult:
    """Replace up to four faces in a picture; with one face each, no numbers are needed. Costs money."""
    return await run(arguments, studio)
