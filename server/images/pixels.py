"""The transparency of a decoded picture: whether it has any, and what comes behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color

_OPAQUE = 255
_CELL_PX = 8
_LIGHT, _DARK = 255, 224


def is_transparent(image: Image) -> bool:
    """True when something of the picture can be seen through."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != _OPAQUE


def fill_behind(image: Image, color: Color) -> Image:
    """The picture with a colour behind it."""
    from PIL.Image import alpha_composite, new

    return alpha_composite(new("RGBA", image.size, color), image.convert("RGBA"))


def flatten_on_checkerboard(image: Image) -> Image:
    """A picture without transparency: what can be seen through is a light checkerboard."""
    if image.mode != "RGBA":
        return image
    return _paste_over(image, _create_checkerboard(image.size))


def flatten_on_white(image: Image) -> Image:
    """A picture without transparency: what can be seen through is white."""
    from PIL.Image import new

    if image.mode != "RGBA":
        return image
    return _paste_over(image, new("RGB", image.size, "white"))


def _paste_over(image: Image, background: Image) -> Image:
    background.paste(image, mask=image.getchannel("A"))
    return background


def _create_checkerboard(size: tuple[int, int]) -> Image:
    from PIL.Image import Resampling, frombytes

    width, height = -(-size[0] // _CELL_PX), -(-size[1] // _CELL_PX)
    cells = bytes(_LIGHT if (x + y) % 2 == 0 else _DARK for y in range(height) for x in range(width))
    board = frombytes("L", (width, height), cells).resize((width * _CELL_PX, height * _CELL_PX), Resampling.NEAREST)
    return board.crop((0, 0, *size)).convert("RGB")
