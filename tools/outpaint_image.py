"""Extend a picture beyond its borders."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(OutpaintImage, Waiting):
    """The flat arguments of ``outpaint_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def outpaint_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Extend a picture beyond its borders: by a ratio, or onto a canvas with the source at a place. Costs money."""
    return await run(arguments, studio)
