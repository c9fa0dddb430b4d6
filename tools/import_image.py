"""Take a picture into the library."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from atelier_mcp.server.job_result import PreviewImage, add_previews, build_image_result
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult

USUAL_MINIMUM_PX: Final = 256


class ImportImageArguments(ToolArguments):
    """The arguments of ``import_image``."""

    image: ImageReference = Field(description="Link, path or data URL")


@tool(toolset="library", read_only=False, destructive=False, idempotent=True, open_world=True)
async def import_image(arguments: ImportImageArguments, context: ToolContext) -> LibraryImageResult:
    """Take a picture into the library; every tool accepts the handle it gets. Free."""
    from atelier_mcp.server.images.exchange import ImageRule

    # The widest rule there is: what a service needs is for the tool that sends it to see to.
    any_image = ImageRule(min_side_px=1, max_side_px=40_000, max_bytes=50_000_000, keeps_transparency=True)
    services = context.services
    # open and admit are the same steps as for a job's pictures, so that links and paths are held to the same limits.
    opened_images = await services.image_pipeline.open({"image": arguments.image})
    admitted_images = await services.image_pipeline.admit(opened_images, {"image": any_image}, now=services.clock.now())
    stored = await services.image_store.find(admitted_images["image"].handle)
    result = LibraryImageResult(image=build_image_result(stored), notes=[*admitted_images["image"].notes])
    if min(stored.width, stored.height) < USUAL_MINIMUM_PX:
        result.notes.append(
            f"Most tools need {USUAL_MINIMUM_PX} pixels a side: they enlarge it first; detect_faces refuses it."
        )
    result.notes += await add_previews(result, [PreviewImage(stored)], services)
    return result
