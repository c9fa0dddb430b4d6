"""Mark a part of a picture."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Self

import mcp_types as types
from pydantic import Field, WithJsonSchema, model_validator

from atelier_mcp.server.images.refusals import name_argument_in_errors
from atelier_mcp.server.job_result import MAX_PREVIEW_BYTES, build_image_result, describe_scales
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.requests.edit import SHAPES_DESCRIPTION, Shape
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult
from atelier_mcp.tools._mask import build_mask_shapes, draw_area, is_way_round_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.images.provenance import DrawnMask


class MakeMaskArguments(ToolArguments):
    """The arguments of ``make_mask``."""

    image: ImageReference = Field(description="Picture")
    shapes: tuple[Shape, ...] = Field((), max_length=64, description=SHAPES_DESCRIPTION)
    mask: ImageReference | None = Field(None, description="Mask to start from")
    grow: Annotated[int, Field(ge=-2000, le=2000), WithJsonSchema({"type": "integer"})] = Field(
        0, description="Pixels wider; below 0 narrower"
    )
    invert: bool = Field(False, description="Exchange marked and unmarked, last")

    @model_validator(mode="after")
    def _require_shapes_or_mask(self) -> Self:
        if not self.shapes and self.mask is None:
            raise ValueError("give shapes, a mask to start from, or both")
        return self


@tool(toolset="hands", read_only=False, destructive=False, idempotent=True, open_world=False)
async def make_mask(arguments: MakeMaskArguments, context: ToolContext) -> LibraryImageResult:
    """Draw a mask over a picture (black: where to work), shown in red on it. Free."""
    from atelier_mcp.server.images.masks import compute_marked_share, format_marked_share
    from atelier_mcp.server.images.preview import render_overlay

    services = context.services
    references = {"image": arguments.image, **({"mask": arguments.mask} if arguments.mask else {})}
    opened_images = await services.image_pipeline.open(references)
    header = opened_images["image"].header
    start_mask = await opened_images["mask"].read() if "mask" in opened_images else None
    with name_argument_in_errors("mask"):
        mask = await draw_area(
            arguments, (header.width, header.height), start_mask, services.image_workers, growth=arguments.grow
        )
    with name_argument_in_errors("image"):
        # Not add_previews: a mask by itself is black and white, and says little without its picture.
        preview = await services.image_workers.run(
            render_overlay,
            await opened_images["image"].read(),
            mask,
            longest_px=services.settings.preview_px or 64,
            budget_bytes=MAX_PREVIEW_BYTES,
        )
    # With shapes in pixels, also where they were given in thousandths: that is what was drawn.
    provenance = _build_provenance(arguments, opened_images)
    stored = await services.image_store.save(mask, provenance=provenance, now=services.clock.now())
    share = await services.image_workers.run(compute_marked_share, mask)
    marked = format_marked_share(share, is_deliberate=is_way_round_given(arguments))
    result = LibraryImageResult(
        image=build_image_result(stored, services), notes=[marked, *describe_scales([stored], [preview])]
    )
    if services.settings.preview_px:
        data = base64.b64encode(preview.data).decode()
        result.blocks.append(types.ImageContent(type="image", data=data, mime_type="image/jpeg"))
    return result


def _build_provenance(arguments: MakeMaskArguments, opened_images: Mapping[str, OpenedImage]) -> DrawnMask:
    from atelier_mcp.server.images.provenance import DrawnMask

    header = opened_images["image"].header
    return DrawnMask(
        image=opened_images["image"].source,
        shapes=build_mask_shapes(arguments.shapes, (header.width, header.height)),
        base_mask=opened_images["mask"].source if "mask" in opened_images else None,
        growth=arguments.grow,
        is_inverted=arguments.invert,
    )
