"""Masks drawn from shapes: black where to work, white elsewhere, at exactly the picture's size.

Everything here decodes or encodes: call it in a thread.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from atelier.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from atelier.server.requests.edit import Shape

WORK, KEEP = 0, 255
MOST_COVERED = 0.98
"""A mask over nearly everything is almost always the inverse of what was meant."""
TINT = (226, 46, 82)


def drawn(width: int, height: int, shapes: Sequence[Shape], *, on: bytes | None = None) -> bytes:
    """A PNG mask of width x height pixels with the shapes in black, added to the mask ``on`` if there is one.

    Raises ``InvalidRequest`` for a shape that lies outside the picture.
    """
    from PIL import Image, ImageDraw

    mask = Image.new("L", (width, height), KEEP) if on is None else _plane(on).resize((width, height))
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


def check(mask: bytes, where: str) -> None:
    """Pass a mask that marks something, and not nearly everything; otherwise raise ``InvalidRequest``."""
    plane = _plane(mask)
    share = plane.histogram()[WORK] / (plane.width * plane.height)
    if share == 0:
        raise InvalidRequest(
            f"{where}: nothing is marked. Black marks where to work.", then="Draw one with make_mask, or give shapes."
        )
    if share > MOST_COVERED:
        raise InvalidRequest(
            f"{where}: {share:.0%} of the picture is marked; black is where to work.",
            then="If it was meant the other way round, make_mask with invert=true turns it.",
        )


def overlay(picture: bytes, mask: bytes, *, longest_px: int) -> bytes:
    """A JPEG of the picture with the marked area tinted red."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(picture)) as opened:
        opened.draft("RGB", (longest_px, longest_px))
        base = ImageOps.exif_transpose(opened).convert("RGB")
    base.thumbnail((longest_px, longest_px))
    marked = _plane(mask).resize(base.size).point(lambda value: 0 if value else 150)
    base.paste(Image.new("RGB", base.size, TINT), mask=marked)
    out = io.BytesIO()
    base.save(out, "JPEG", quality=85)
    return out.getvalue()


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

    with Image.open(io.BytesIO(mask)) as opened:
        rgba = opened.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    return ground.convert("L").point(lambda value: KEEP if value >= 128 else WORK)


def _png(mask: Image) -> bytes:
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()
