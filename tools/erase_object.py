"""Remove what is marked."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import EraseObject
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._masking import with_mask
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(EraseObject, Waiting):
    """The flat arguments of ``erase_object``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def erase_object(arguments: Arguments, studio: Studio) -> JobResult:
    """Remove what is marked from a picture and fill its place from around it. Costs money."""
    return await run(await with_mask(arguments, studio), studio)
