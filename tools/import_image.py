"""Take a picture into the library."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from atelier_mcp.server.job_result import PreviewImage, add_previews, build_image_result
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult, take_in

USUAL_MINIMUM_PX: Final = 256


class ImportImageArguments(ToolArguments):
    """The arguments of ``import_image``."""

    image: ImageReference = Field(description="Link, path or data URL")


@tool(toolset="library", read_only=False, destructive=False, idempotent=True, open_world=True)
async def import_image(arguments: ImportImageArguments, context: ToolContext) -> LibraryImageResult:
    """Take a picture into the library; every tool accepts the handle it gets. Free."""
    stored, notes = await take_in(arguments.image, context)
    result = LibraryImageResult(image=build_image_result(stored, context.services), notes=notes)
    if min(stored.width, stored.height) < USUAL_MINIMUM_PX:
        result.notes.append(
            f"Most tools need {USUAL_MINIMUM_PX} pixels a side: they enlarge it first; detect_faces refuses it."
        )
    result.notes += await add_previews(result, [PreviewImage(stored)], context.services)
    return result
