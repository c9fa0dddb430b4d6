"""A line of one colour around a picture, or around what can be seen of a transparent one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color

FAINT, SOLID = 64, 192
"""Opacity below which a pixel has no outline, and from which on it has a full one: shadows and haze get none."""
MAX_EXACT_PIXELS: Final = 8_000_000
"""A larger picture's outline is found in a smaller one: a worker's time is limited, and nobody sees the difference."""
_DIRECTIONS: Final = 24


def draw_outline(image: Image, width: int, color: Color, *, follows_shape: bool) -> Image:
    """The picture with an outline of ``width`` pixels, larger by that on every side.

    It ``follows_shape``, that of what can be seen, or is a frame. Raises ``InvalidRequest`` where nothing can be seen.
    """
    from PIL.Image import alpha_composite, new
    from PIL.ImageChops import multiply

    size = image.width + 2 * width, image.height + 2 * width
    canvas = new("RGBA", size, (0, 0, 0, 0))
    canvas.paste(image, (width, width))
    shape = _draw_shape(canvas, width) if follows_shape else new("L", size, 255)
    if shape.getbbox() is None:
        raise InvalidRequest("outline: nothing of the picture is visible.", hint="Leave it out.")
    line = new("RGBA", size, color)
    line.putalpha(multiply(line.getchannel("A"), shape))
    return alpha_composite(line, canvas)


def _draw_shape(image: Image, width: int) -> Image:
    """What of a picture is visible, and ``width`` pixels around it, white on black."""
    scale = min(1.0, math.sqrt(MAX_EXACT_PIXELS / (image.width * image.height)))
    if scale == 1:
        return _grow(_find_shape(image), width)
    small_shape = _find_shape(image).resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
    return _grow(small_shape, max(1, round(width * scale))).resize(image.size)


def _find_shape(image: Image) -> Image:
    """What is plainly visible, white on black, with soft edges."""
    slope = 255 / (SOLID - FAINT)
    return image.getchannel("A").point([min(255, max(0, round((value - FAINT) * slope))) for value in range(256)])


def _grow(shape: Image, radius: int) -> Image:
    """The bright area of an ``L`` image wider by ``radius`` pixels, round at its corners.

    A disc moved round by its own radius covers one of twice that, hence the doubling: some ten moves each.
    """
    from PIL.ImageChops import lighter

    done = 0
    while done < radius:
        step = min(max(done, 1), radius - done)
        grown = shape
        for x, y in _list_offsets(step):
            # What lies outside of the image is read as black.
            grown = lighter(grown, shape.crop((x, y, x + shape.width, y + shape.height)))
        shape, done = grown, done + step
    return shape


def _list_offsets(radius: int) -> set[tuple[int, int]]:
    """Points of a circle, in whole pixels."""
    angles = (2 * math.pi * index / _DIRECTIONS for index in range(_DIRECTIONS))
    return {(round(radius * math.cos(angle)), round(radius * math.sin(angle))) for angle in angles}
