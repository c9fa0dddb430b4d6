"""Look at a picture closely."""

from __future__ import annotations

from pydantic import Field

from atelier_mcp.server.job_result import build_image_result
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult

MAX_VIEW_BYTES = 350_000


class ViewImageArguments(ToolArguments):
    """The arguments of ``view_image``."""

    image: str = Field(min_length=1, description="Handle")
    longest_px: int = Field(1024, ge=64, le=1568, description="Longest side shown")
    region: list[int] = Field(
        default_factory=list[int], max_length=4, description="x, y, width, height in pixels: show only this part"
    )


@tool(toolset="library", read_only=True, destructive=False, idempotent=True, open_world=False)
async def view_image(arguments: ViewImageArguments, context: ToolContext) -> LibraryImageResult:
    """Look at a picture of the library, whole or a part of it, and how it was made. Free."""
    import base64

    import mcp_types as types

    from atelier_mcp.server.images.preview import create_view

    stored = await context.services.image_store.find(arguments.image)
    data = await create_view(
        stored.path, longest_px=arguments.longest_px, region=tuple(arguments.region), budget_bytes=MAX_VIEW_BYTES
    )
    result = LibraryImageResult(image=build_image_result(stored))
    result.add_provenance(stored.provenance)
    result.blocks.append(types.ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/jpeg"))
    return result
