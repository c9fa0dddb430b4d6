"""Masks drawn from shapes: black where to work, white elsewhere, at exactly the picture's size.

Everything here decodes or encodes: call it in a thread.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.pixels import flatten_on_checkerboard
from atelier_mcp.server.images.probe import probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from atelier_mcp.server.images.shapes import MaskShape

WORK, KEEP, MID_GREY = 0, 255, 128
"""Grey values: black marks where to work, and grey levels are split in the middle (contract: shared.mask)."""
MAX_MARKED_SHARE = 0.98
"""A mask over nearly everything is almost always the inverse of what was meant."""
RATIO_TOLERANCE = 0.01
"""(contract: shared.mask)"""
TINT = (226, 46, 82)
TINT_OPACITY = 150
LINE_PX = 3
"""Odd, as a filter wants it: what lies within half of it of the area becomes the line."""


def draw_mask(width: int, height: int, shapes: Sequence[MaskShape], *, base_mask: bytes | None = None) -> bytes:
    """A PNG mask of width x height pixels with the shapes in black, added to the mask ``base_mask`` if there is one.

    Raises ``InvalidRequest`` for a shape that lies outside the picture and for a start of another ratio, and
    ``ImageRefused`` for a start that is damaged.
    """
    from PIL import Image, ImageDraw

    # Shapes that only take away mean: everything but this.
    ground = WORK if shapes and all(shape.subtracts for shape in shapes) else KEEP
    mask = (
        Image.new("L", (width, height), ground)
        if base_mask is None
        else _resize_mask(_decode_mask(base_mask), width, height)
    )
    pen = ImageDraw.Draw(mask)
    for index, shape in enumerate(shapes):
        if min(shape.points[::2]) >= width or min(shape.points[1::2]) >= height:
            raise InvalidRequest(
                f"shapes[{index}]: it lies outside the picture, which is {width}x{height} pixels.",
                hint="Give pixels of the picture; view_image shows it.",
            )
        _draw_shape(pen, shape)
    return _encode_png(mask)


def invert_mask(mask: bytes) -> bytes:
    """The same mask with work and keep exchanged."""
    from PIL import ImageOps

    return _encode_png(ImageOps.invert(_decode_mask(mask)))


def compute_marked_share(mask: bytes) -> float:
    """How much of the picture a mask marks, from 0 to 1. Raises ``ImageRefused`` for a damaged mask."""
    plane = _decode_mask(mask)
    return plane.histogram()[WORK] / (plane.width * plane.height)


def check_mask(mask: bytes, where: str) -> None:
    """Pass a mask that marks something, and not nearly everything; otherwise raise ``InvalidRequest``."""
    marked_share = compute_marked_share(mask)
    if marked_share == 0:
        raise InvalidRequest(
            f"{where}: nothing is marked. Black marks where to work.", hint="Draw one with make_mask, or give shapes."
        )
    if marked_share > MAX_MARKED_SHARE:
        raise InvalidRequest(
            f"{where}: {marked_share:.0%} of the picture is marked; black is where to work.",
            hint="If it was meant the other way round, make_mask with invert=true turns it.",
        )


def overlay_mask(image_data: bytes, mask: bytes, *, longest_px: int) -> Image:
    """The picture, no side longer than ``longest_px``, with the marked area in red and a white line round it.

    Raises ``ImageRefused`` for a damaged picture or mask.
    """
    from PIL import Image, ImageChops, ImageFilter

    base = flatten_on_checkerboard(_decode_image(image_data, longest_px=longest_px)).convert("RGB")
    base.thumbnail((longest_px, longest_px))
    area = ImageChops.invert(_apply_threshold(_decode_mask(mask).resize(base.size)))
    line = ImageChops.difference(area.filter(ImageFilter.MaxFilter(LINE_PX)), area)
    base.paste(Image.new("RGB", base.size, TINT), mask=area.point([0] * 255 + [TINT_OPACITY]))
    base.paste("white", mask=line)
    return base


def _draw_shape(pen: ImageDraw, shape: MaskShape) -> None:
    fill = KEEP if shape.subtracts else WORK
    points = list(zip(shape.points[::2], shape.points[1::2], strict=True))
    match shape.type:
        case "box":
            pen.rectangle([points[0], _to_inclusive_corner(points[1])], fill=fill)
        case "ellipse":
            pen.ellipse([points[0], _to_inclusive_corner(points[1])], fill=fill)
        case "polygon":
            pen.polygon(points, fill=fill)
        case "stroke":
            radius = shape.width / 2  # a line's own ends are cut off square; a brush leaves round ones
            pen.line(points, fill=fill, width=shape.width, joint="curve")
            for x, y in points:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)


def _to_inclusive_corner(corner: tuple[int, int]) -> tuple[int, int]:
    """The last pixel of a box whose end is not part of it, as Pillow's boxes include theirs."""
    return corner[0] - 1, corner[1] - 1


def _decode_mask(mask: bytes) -> Image:
    """The mask as pure black and white: mid-grey is the limit, transparent is white."""
    from PIL import Image

    rgba = _decode_image(mask).convert("RGBA")
    background = Image.new("RGBA", rgba.size, "white")
    background.alpha_composite(rgba)
    return _apply_threshold(background.convert("L"))


def _apply_threshold(grey: Image) -> Image:
    return grey.point([KEEP if value >= MID_GREY else WORK for value in range(256)])


def _resize_mask(mask: Image, width: int, height: int) -> Image:
    """The mask at the picture's size, which it may differ from in size and not in shape."""
    if abs(mask.width * height - width * mask.height) > RATIO_TOLERANCE * width * mask.height:
        raise InvalidRequest(
            f"mask: {mask.width}x{mask.height} pixels have not the shape of image, which is {width}x{height}.",
            hint="Give a mask of that picture.",
        )
    return _apply_threshold(mask.resize((width, height)))


def _decode_image(image_data: bytes, *, longest_px: int | None = None) -> Image:
    return decode_upright(io.BytesIO(image_data), probe(image_data).format, longest_px=longest_px)


def _encode_png(mask: Image) -> bytes:
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()
