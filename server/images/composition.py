"""A composition as it is asked for: pictures as they lie in their files, laid over one another and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.decode_with_notes import decode_with_notes
from atelier_mcp.server.images.encode import choose_format, encode_image
from atelier_mcp.server.images.layers import ImageLayer, compose
from atelier_mcp.server.images.masks import draw_mask
from atelier_mcp.server.images.pixels import fill_behind, is_transparent
from atelier_mcp.server.images.refusals import name_argument_in_errors

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color
    from atelier_mcp.server.images.encode import FileFormat
    from atelier_mcp.server.images.probe import ImageHeader

_WHITE: Final = (255, 255, 255, 255)


@dataclass(frozen=True, slots=True)
class PlacedImage:
    """A picture's file, and the place in the request that names it."""

    place: str
    data: bytes
    header: ImageHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLayer:
    """One picture of a composition, not decoded yet; the fields that are not here described are ``ImageLayer``'s."""

    image: PlacedImage
    mask: PlacedImage | None = None
    """Black where the picture shows."""
    inverts_mask: bool = False
    width: int | None = None
    height: int | None = None
    scale: float | None = None
    x: int | None = None
    y: int | None = None
    position: str = "middle"
    soft_edge_px: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What is laid on what, and how it is written."""

    background: PlacedImage | Color
    ground: str
    """What the background is called, for the reader."""
    layers: tuple[PlannedLayer, ...]
    size: tuple[int, int] | None = None
    file_format: FileFormat | None = None


def render_composition(composition: Composition) -> tuple[bytes, list[str]]:
    """The bytes of the new picture and what was done, for a reader.

    Raises as ``compose`` does, and ``ImageRefused`` for a damaged picture. Decodes: called in a worker (``workers``).
    """
    notes: list[str] = []
    planned = composition.background
    background = _decode(planned, notes) if isinstance(planned, PlacedImage) else planned
    # One by one: together, the pictures would take many times the memory of what is made of them.
    layers = (_build_layer(layer, notes) for layer in composition.layers)
    canvas = compose(background, layers, size=composition.size)
    # On a colour there is no file whose format could be kept; PNG keeps transparency.
    source_format = planned.header.format if isinstance(planned, PlacedImage) else "PNG"
    is_see_through = is_transparent(canvas)
    file_format = composition.file_format or choose_format(source_format, has_transparency=is_see_through)
    done = _describe(composition, canvas, file_format)
    if file_format == "jpg" and is_see_through:
        notes.append("transparency filled with white, which JPEG needs")
        # Filled here and said; Pillow would drop the alpha, and show whatever colour lies under it.
        canvas = fill_behind(canvas, _WHITE)
    # An alpha channel without a transparent pixel only makes the file larger.
    return encode_image(canvas if is_transparent(canvas) else canvas.convert("RGB"), file_format), [done, *notes]


def _describe(composition: Composition, canvas: Image, file_format: FileFormat) -> str:
    count = len(composition.layers)
    size = f"{canvas.width}x{canvas.height}"
    return f"{count} layer{'s' * (count != 1)} on {composition.ground}, {size} as {file_format}"


def _build_layer(layer: PlannedLayer, notes: list[str]) -> ImageLayer:
    image = _decode(layer.image, notes)
    return ImageLayer(
        image=image,
        mask=_read_mask(layer.mask, image.size, inverts=layer.inverts_mask) if layer.mask else None,
        width=layer.width,
        height=layer.height,
        scale=layer.scale,
        x=layer.x,
        y=layer.y,
        position=layer.position,
        soft_edge_px=layer.soft_edge_px,
    )


def _decode(placed: PlacedImage, notes: list[str]) -> Image:
    with name_argument_in_errors(placed.place):
        image, image_notes = decode_with_notes(placed.data, placed.header)
    notes += [f"{placed.place}: {note}" for note in image_notes]
    return image


def _read_mask(mask: PlacedImage, size: tuple[int, int], *, inverts: bool) -> Image:
    """What of a layer is shown, in white: a mask has it in black."""
    from PIL import Image, ImageOps

    with name_argument_in_errors(mask.place):
        drawn_mask = Image.open(BytesIO(draw_mask(*size, (), base_mask=mask.data))).convert("L")
    # draw_mask gives our convention, black where to work; a layer's mask shows in white.
    return drawn_mask if inverts else ImageOps.invert(drawn_mask)
