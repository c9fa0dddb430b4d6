"""Find the outline of a roughly marked subject."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.edit import CutOutSubject
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._masking import with_mask
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(CutOutSubject, Waiting):
    """The flat arguments of ``cut_out_subject``."""


@tool(toolset="edit", read_only=False, destructive=False, idempotent=False)
async def cut_out_subject(arguments: Arguments, studio: Studio) -> JobResult:
    """Find the exact outline of a roughly marked subject: a mask for inpaint_image or erase_object. Costs money."""
    return await run(await with_mask(arguments, studio), studio)
