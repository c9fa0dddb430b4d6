"""Lift the main subject out of a picture."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import SegmentImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(SegmentImage, Waiting):
    """The flat arguments of ``segment_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def segment_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Lift the main subject out of a picture onto transparency, without marking it. Costs money."""
    return await run(arguments, studio)
