"""Masks drawn from shapes: black where to work, white elsewhere, at exactly the picture's size.

Everything here decodes or encodes: call it in a thread.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.pixels import checkered, plain
from atelier_mcp.server.images.probe import load, open_picture, probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from atelier_mcp.server.requests.edit import Shape

WORK, KEEP, MID_GREY = 0, 255, 128
MOST_COVERED = 0.98
"""A mask over nearly everything is almost always the inverse of what was meant."""
RATIO_TOLERANCE = 0.01
TINT = (226, 46, 82)
TINT_OPACITY = 150
LINE_PX = 3
"""Odd, as a filter wants it: what lies within half of it of the area becomes the line."""


def drawn(width: int, height: int, shapes: Sequence[Shape], *, on: bytes | None = None) -> bytes:
    """A PNG mask of width x height pixels with the shapes in black, added to the mask ``on`` if there is one.

    Raises ``InvalidRequest`` for a shape that lies outside the picture and for a start of another ratio, and
    ``ImageRefused`` for a start that is damaged.
    """
    from PIL import Image, ImageDraw

    mask = Image.new("L", (width, height), KEEP) if on is None else _fitted(_plane(on), width, height)
    pen = ImageDraw.Draw(mask)
    for index, shape in enumerate(shapes):
        if min(shape.points[::2]) >= width or min(shape.points[1::2]) >= height:
            raise InvalidRequest(
                f"shapes[{index}]: it lies outside the picture, which is {width}x{height} pixels.",
                then="Give pixels of the picture; view_image shows it.",
            )
        _draw(pen, shape)
    return _png(mask)


def inverted(mask: bytes) -> bytes:
    """The same mask with work and keep exchanged."""
    from PIL import ImageOps

    return _png(ImageOps.invert(_plane(mask)))


def share(mask: bytes) -> float:
    """How much of the picture a mask marks, from 0 to 1. Raises ``ImageRefused`` for a damaged mask."""
    plane = _plane(mask)
    return plane.histogram()[WORK] / (plane.width * plane.height)


def check(mask: bytes, where: str) -> None:
    """Pass a mask that marks something, and not nearly everything; otherwise raise ``InvalidRequest``."""
    marked = share(mask)
    if marked == 0:
        raise InvalidRequest(
            f"{where}: nothing is marked. Black marks where to work.", then="Draw one with make_mask, or give shapes."
        )
    if marked > MOST_COVERED:
        raise InvalidRequest(
            f"{where}: {marked:.0%} of the picture is marked; black is where to work.",
            then="If it was meant the other way round, make_mask with invert=true turns it.",
        )


def tinted(picture: bytes, mask: bytes, *, longest_px: int) -> Image:
    """The picture, no side longer than ``longest_px``, with the marked area in red and a white line round it.

    Raises ``ImageRefused`` for a damaged picture or mask.
    """
    from PIL import Image, ImageChops, ImageFilter

    base = checkered(_upright(picture, longest_px=longest_px)).convert("RGB")
    base.thumbnail((longest_px, longest_px))
    area = ImageChops.invert(_cut(_plane(mask).resize(base.size)))
    line = ImageChops.difference(area.filter(ImageFilter.MaxFilter(LINE_PX)), area)
    base.paste(Image.new("RGB", base.size, TINT), mask=area.point([0] * 255 + [TINT_OPACITY]))
    base.paste("white", mask=line)
    return base


def _draw(pen: ImageDraw, shape: Shape) -> None:
    points = list(zip(shape.points[::2], shape.points[1::2], strict=True))
    match shape.type:
        case "box":
            pen.rectangle([points[0], _inner(points[1])], fill=WORK)
        case "ellipse":
            pen.ellipse([points[0], _inner(points[1])], fill=WORK)
        case "polygon":
            pen.polygon(points, fill=WORK)
        case "stroke":
            radius = shape.width / 2
            pen.line(points, fill=WORK, width=shape.width, joint="curve")
            for x, y in points:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=WORK)


def _inner(corner: tuple[int, int]) -> tuple[int, int]:
    """The last pixel of a box whose end is not part of it."""
    return corner[0] - 1, corner[1] - 1


def _plane(mask: bytes) -> Image:
    """The mask as pure black and white: mid-grey is the limit, transparent is white."""
    from PIL import Image

    rgba = _upright(mask).convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    return _cut(ground.convert("L"))


def _cut(grey: Image) -> Image:
    return grey.point([KEEP if value >= MID_GREY else WORK for value in range(256)])


def _fitted(mask: Image, width: int, height: int) -> Image:
    """The mask at the picture's size, which it may differ from in size and not in shape."""
    if abs(mask.width * height - width * mask.height) > RATIO_TOLERANCE * width * mask.height:
        raise InvalidRequest(
            f"mask: {mask.width}x{mask.height} pixels have not the shape of image, which is {width}x{height}.",
            then="Give a mask of that picture.",
        )
    return _cut(mask.resize((width, height)))


def _upright(picture: bytes, *, longest_px: int | None = None) -> Image:
    """The decoded picture, turned as its EXIF says; a JPEG is read at a fraction of its size where that will do."""
    from PIL import ImageOps

    with open_picture(io.BytesIO(picture), probe(picture).format) as opened:
        if longest_px is not None:
            opened.draft("RGB", (longest_px, longest_px))
        load(opened)
        image = plain(opened)
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _png(mask: Image) -> bytes:
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()
