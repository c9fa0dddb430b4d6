"""Decoded pictures in the two modes everything can be written from, and what becomes of their transparency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_CELL_PX = 8
_LIGHT, _DARK = 255, 224
_COLOURS = {"L": "grey", "RGB": "colour", "RGBA": "colour", "P": "colour"}
"""A colour profile describes one kind of channels and is wrong for any other, such as the RGB made of CMYK."""


def normalize_mode(image: Image) -> Image:
    """The picture as 8-bit ``L``, ``RGB`` or ``RGBA``, EXIF and colour profile kept beside it."""
    exif, profile = image.info.get("exif"), image.info.get("icc_profile")
    converted = _convert_to_eight_bit(image)
    converted.info.clear()
    if exif:
        converted.info["exif"] = exif
    if profile and _COLOURS.get(image.mode) == _COLOURS[converted.mode]:
        converted.info["icc_profile"] = profile
    return converted


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
    background.info = image.info
    return background


def _convert_to_eight_bit(image: Image) -> Image:
    if image.mode == "I" or image.mode.startswith("I;16"):  # Pillow opens 16-bit grey PNGs as I or as I;16
        return image.convert("I").point(_scale_sixteen_to_eight_bit).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode in ("1", "L", "F") else "RGB")


def _scale_sixteen_to_eight_bit(value: Any) -> Any:
    """Pillow hands over a symbol that records this one multiplication, and would clip instead of scale by itself."""
    return value * (1 / 257)


def _create_checkerboard(size: tuple[int, int]) -> Image:
    from PIL.Image import Resampling, frombytes

    width, height = -(-size[0] // _CELL_PX), -(-size[1] // _CELL_PX)
    cells = bytes(_LIGHT if (x + y) % 2 == 0 else _DARK for y in range(height) for x in range(width))
    board = frombytes("L", (width, height), cells).resize((width * _CELL_PX, height * _CELL_PX), Resampling.NEAREST)
    return board.crop((0, 0, *size)).convert("RGB")
