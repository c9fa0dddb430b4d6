"""Look at a picture closely."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated

import mcp_types as types
from pydantic import Field, WithJsonSchema

from atelier_mcp.server.job_result import build_image_result, format_scale
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult, build_unstored_result

if TYPE_CHECKING:
    from atelier_mcp.server.images.opening import OpenedImage

MAX_VIEW_BYTES = 350_000


class ViewImageArguments(ToolArguments):
    """The arguments of ``view_image``."""

    image: ImageReference = Field(description="Handle, link, path or data URL")
    longest_px: Annotated[int, Field(ge=64, le=1568), WithJsonSchema({"type": "integer", "maximum": 1568})] = Field(
        1024, description="Longest side shown"
    )
    region: list[int] = Field(default_factory=list[int], max_length=4, description="Only x, y, width, height in pixels")


@tool(toolset="library", read_only=True, destructive=False, idempotent=True, open_world=False)
async def view_image(arguments: ViewImageArguments, context: ToolContext) -> LibraryImageResult:
    """Look at any picture or a part of it; one of the library tells how it was made. Free."""
    from atelier_mcp.server.images.preview import clip_region, create_view

    opened = (await context.services.image_pipeline.open({"image": arguments.image}))["image"]
    size, region = (opened.header.width, opened.header.height), tuple(arguments.region)
    preview = await context.services.image_workers.run(
        create_view,
        await opened.read(),
        longest_px=arguments.longest_px,
        region=region,
        budget_bytes=MAX_VIEW_BYTES,
    )
    result = await _describe(opened, context)
    shown_size = preview.width, preview.height
    if region:
        result.notes.append(_describe_region(clip_region(region, size), size, shown_size))
    # Only when it is shown smaller: coordinates are then not those that are seen.
    elif shown_size != size:
        result.notes.append(format_scale(shown_size, size))
    data = base64.b64encode(preview.data).decode()
    result.blocks.append(types.ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return result


async def _describe(opened: OpenedImage, context: ToolContext) -> LibraryImageResult:
    """What is known of the picture; of one outside of the library that is its size."""
    from atelier_mcp.server.errors import ImageRefused
    from atelier_mcp.server.images.handles import compute_handle

    try:
        # By its bytes where it was named by path or link: the library may have it all the same.
        stored = await context.services.image_store.find(opened.handle or compute_handle(await opened.read()))
    except ImageRefused:
        return build_unstored_result(opened)
    result = LibraryImageResult(image=build_image_result(stored, context.services))
    result.add_story(stored, context.services)
    return result


def _describe_region(box: tuple[int, int, int, int], size: tuple[int, int], shown_size: tuple[int, int]) -> str:
    """Where what is shown lies, and how its coordinates become the picture's."""
    left, top, right, bottom = box
    across, down = (right - left) / shown_size[0], (bottom - top) / shown_size[1]
    return (
        f"Region {left}, {top}, {right - left}, {bottom - top} of {size[0]}x{size[1]}, shown at {shown_size[0]}x"
        f"{shown_size[1]}: x = {left} + {across:.3g} * x shown, y = {top} + {down:.3g} * y shown."
    )
