"""Lay pictures over one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, RequestModel, ToolArguments, format_place
from atelier_mcp.server.requests.edit import Position
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult
from atelier_mcp.tools._local_work import store_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.composition import PlacedImage, PlannedLayer

BACKGROUND = "background"
Length = Annotated[int, Field(ge=1, le=20_000), WithJsonSchema({"type": "integer"})]
"""Bounded when it is read; in the schema its kind says enough."""


class LayerArguments(RequestModel):
    """One picture of a composition."""

    image: ImageReference = Field(description="Picture")
    mask: ImageReference | None = Field(None, description="Black where it shows")
    invert: bool = Field(False, description="Turn the mask round")
    position: Annotated[Position, WithJsonSchema({"type": "string"})] = Field(
        "middle", description="topleft...bottomright"
    )
    x: int | None = Field(None, description="Or its left edge")
    y: int | None = Field(None, description="Its top edge")
    width: Length | None = Field(None, description="One side is enough")
    height: Length | None = Field(None, description="Pixels")
    scale: Annotated[float, Field(gt=0, le=20), WithJsonSchema({"type": "number"})] | None = Field(
        None, description="Or times its size"
    )
    soft_edge: Annotated[float, Field(ge=0, le=500), WithJsonSchema({"type": "number"})] = Field(
        0, description="Faded, pixels"
    )

    @classmethod
    def expand_text(cls, text: str) -> dict[str, Any]:
        """A picture as it is, in the middle."""
        return {"image": text}

    @model_validator(mode="after")
    def _check_layer(self) -> Self:
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise ValueError("scale, width: give one of them")
        if self.invert and self.mask is None:
            raise ValueError("invert needs a mask")
        return self


class ComposeImagesArguments(ToolArguments):
    """The arguments of ``compose_images``."""

    layers: tuple[LayerArguments, ...] = Field(
        min_length=1,
        max_length=16,
        description="Lowest first: {image, ...}",
    )
    background: str = Field("transparent", min_length=1, description='Picture, "#ff8000", CSS name or "transparent"')
    width: Length | None = Field(None, description="Canvas; else the background's, or first layer's")
    height: Length | None = Field(None, description="Pixels")
    format: Literal["png", "jpg", "webp"] | None = Field(None, description="File format (png; jpg on a jpg)")

    @model_validator(mode="after")
    def _require_both_sides(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height of the canvas go together")
        return self

    @property
    def size(self) -> tuple[int, int] | None:
        """The canvas, where it is said."""
        return None if self.width is None or self.height is None else (self.width, self.height)


@tool(toolset="hands", read_only=False, destructive=False, idempotent=True, open_world=False, opens_studio=True)
async def compose_images(arguments: ComposeImagesArguments, context: ToolContext) -> LibraryImageResult:
    """Put pictures onto a colour, another picture or transparency. Free."""
    from atelier_mcp.server.images.color_names import find_color
    from atelier_mcp.server.images.composition import Composition, PlacedImage, render_composition

    # A name is a colour first and a picture only if it is none: "red" is no file.
    color = find_color(arguments.background)
    references = {BACKGROUND: arguments.background} if color is None else {}
    for index, layer in enumerate(arguments.layers):
        references[format_place("layers", index, "image")] = layer.image
        if layer.mask:
            references[format_place("layers", index, "mask")] = layer.mask
    opened = await context.services.image_pipeline.open(references)
    images = {place: PlacedImage(place, await image.read(), image.header) for place, image in opened.items()}
    composition = Composition(
        background=images[BACKGROUND] if color is None else color,
        ground="the background" if color is None else arguments.background,
        layers=tuple(_plan_layer(index, layer, images) for index, layer in enumerate(arguments.layers)),
        size=arguments.size,
        file_format=arguments.format,
    )
    data, changes = await context.services.image_workers.run(render_composition, composition)
    return await store_result(data, context, operation="compose", sources=list(opened.values()), changes=changes)


def _plan_layer(index: int, layer: LayerArguments, images: Mapping[str, PlacedImage]) -> PlannedLayer:
    from atelier_mcp.server.images.composition import PlannedLayer

    return PlannedLayer(
        image=images[format_place("layers", index, "image")],
        mask=images[format_place("layers", index, "mask")] if layer.mask else None,
        inverts_mask=layer.invert,
        width=layer.width,
        height=layer.height,
        scale=layer.scale,
        x=layer.x,
        y=layer.y,
        position=layer.position,
        soft_edge_px=layer.soft_edge,
    )
