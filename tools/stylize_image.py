"""Redraw a picture in a style."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import StylizeImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(StylizeImage, Waiting):
    """The flat arguments of ``stylize_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def stylize_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Redraw a picture in a style. Costs money."""
    return await run(arguments, studio)
