"""A line of one colour around a picture, or around what can be seen of a transparent one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.dilation import dilate

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color

FAINT, SOLID = 64, 192
"""Opacity below which a pixel has no outline, and from which on it has a full one: shadows and haze get none."""


def draw_outline(image: Image, width: int, color: Color, *, follows_shape: bool) -> Image:
    """The picture with an outline of ``width`` pixels, larger by that on every side.

    It ``follows_shape``, that of what can be seen, or is a frame. Raises ``InvalidRequest`` where nothing can be seen.
    """
    from PIL.Image import alpha_composite, new
    from PIL.ImageChops import multiply

    size = image.width + 2 * width, image.height + 2 * width
    canvas = new("RGBA", size, (0, 0, 0, 0))
    canvas.paste(image, (width, width))
    shape = dilate(_find_shape(canvas), width) if follows_shape else new("L", size, 255)
    if shape.getbbox() is None:
        raise InvalidRequest("outline: nothing of the picture is visible.", hint="Leave it out.")
    line = new("RGBA", size, color)
    line.putalpha(multiply(line.getchannel("A"), shape))
    return alpha_composite(line, canvas)


def _find_shape(image: Image) -> Image:
    """What is plainly visible, white on black, with soft edges."""
    slope = 255 / (SOLID - FAINT)
    return image.getchannel("A").point([min(255, max(0, round((value - FAINT) * slope))) for value in range(256)])
