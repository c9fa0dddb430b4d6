"""Lay pictures over one another."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, RequestModel, ToolArguments, format_place
from atelier_mcp.server.requests.edit import Position
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult
from atelier_mcp.tools._local_work import store_result
from atelier_mcp.tools._mask import name_argument_in_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL.Image import Image

    from atelier_mcp.server.images.colors import Color
    from atelier_mcp.server.images.compose import ImageLayer
    from atelier_mcp.server.images.opening import OpenedImage

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
    """Put pictures onto a colour, another picture or transparency. Free, local."""
    from atelier_mcp.server.images.colors import find_color

    # A name is a colour first and a picture only if it is none: "red" is no file.
    color = find_color(arguments.background)
    references = {BACKGROUND: arguments.background} if color is None else {}
    for index, layer in enumerate(arguments.layers):
        references[format_place("layers", index, "image")] = layer.image
        if layer.mask:
            references[format_place("layers", index, "mask")] = layer.mask
    opened = await context.services.image_pipeline.open(references)
    # Read here, since the thread below can await nothing.
    contents = {place: await image.read() for place, image in opened.items()}
    data, changes = await asyncio.to_thread(_compose, arguments, color, opened, contents)
    return await store_result(data, context, operation="compose", sources=list(opened.values()), changes=changes)


def _compose(
    arguments: ComposeImagesArguments,
    color: Color | None,
    opened: Mapping[str, OpenedImage],
    contents: Mapping[str, bytes],
) -> tuple[bytes, list[str]]:
    from atelier_mcp.server.images.compose import compose
    from atelier_mcp.server.images.encode import choose_format, encode_image
    from atelier_mcp.server.images.transform import fill_behind, is_transparent

    notes: list[str] = []
    background: Image | Color = color or _decode(BACKGROUND, opened, contents, notes)
    layers = [_build_layer(index, layer, opened, contents, notes) for index, layer in enumerate(arguments.layers)]
    canvas = compose(background, layers, size=arguments.size)
    # On a colour there is no file whose format could be kept; PNG keeps transparency.
    source_format = opened[BACKGROUND].header.format if color is None else "PNG"
    file_format = arguments.format or choose_format(source_format, has_transparency=is_transparent(canvas))
    ground = arguments.background if color is not None else "the background"
    done = f"{len(layers)} layer{'s' * (len(layers) != 1)} on {ground}, {canvas.width}x{canvas.height} as {file_format}"
    if file_format == "jpg" and is_transparent(canvas):
        notes.append("transparency filled with white, which JPEG needs")
        # Filled here and said; Pillow would drop the alpha, and show whatever colour lies under it.
        canvas = fill_behind(canvas, (255, 255, 255, 255))
    # An alpha channel without a transparent pixel only makes the file larger.
    return encode_image(canvas if is_transparent(canvas) else canvas.convert("RGB"), file_format), [done, *notes]


def _build_layer(
    index: int,
    layer: LayerArguments,
    opened: Mapping[str, OpenedImage],
    contents: Mapping[str, bytes],
    notes: list[str],
) -> ImageLayer:
    from atelier_mcp.server.images.compose import ImageLayer

    image = _decode(format_place("layers", index, "image"), opened, contents, notes)
    mask_place = format_place("layers", index, "mask")
    return ImageLayer(
        image=image,
        mask=_read_mask(mask_place, contents[mask_place], image.size, inverts=layer.invert) if layer.mask else None,
        width=layer.width,
        height=layer.height,
        scale=layer.scale,
        x=layer.x,
        y=layer.y,
        position=layer.position,
        soft_edge_px=layer.soft_edge,
    )


def _decode(place: str, opened: Mapping[str, OpenedImage], contents: Mapping[str, bytes], notes: list[str]) -> Image:
    from atelier_mcp.server.images.srgb import decode_to_srgb

    with name_argument_in_errors(place):
        image, image_notes = decode_to_srgb(contents[place], opened[place].header)
    notes += [f"{place}: {note}" for note in image_notes]
    return image


def _read_mask(place: str, data: bytes, size: tuple[int, int], *, inverts: bool) -> Image:
    """What of a layer is shown, in white: a mask has it in black."""
    from PIL import Image, ImageOps

    from atelier_mcp.server.images import masks

    with name_argument_in_errors(place):
        mask = Image.open(BytesIO(masks.draw_mask(*size, (), base_mask=data))).convert("L")
    # draw_mask gives our convention, black where to work; a layer's mask shows in white.
    return mask if inverts else ImageOps.invert(mask)
