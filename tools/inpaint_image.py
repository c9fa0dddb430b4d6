"""Draw a marked area of a picture anew."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._masking import with_mask
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(InpaintImage, Waiting):
    """The flat arguments of ``inpaint_image``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def inpaint_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Draw the marked area of a picture anew from a prompt; the rest stays. Costs money."""
    return await run(await with_mask(arguments, studio), studio)
