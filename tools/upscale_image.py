"""Enlarge a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import UpscaleImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(UpscaleImage, Waiting):
    """The flat arguments of ``upscale_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def upscale_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Enlarge a picture up to three times, with more detail. Costs money."""
    return await run(arguments, studio)
