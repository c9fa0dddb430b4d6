"""Grey pictures of more than 8 bits a pixel, brought to 8: each tone at its share of the way from black to white.

Pillow would cut such values off at 255 instead, which turns all but the darkest into white.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2
_WHITE_LEVELS = (255.0, 65_535.0, 2_147_483_647.0, 4_294_967_295.0)
"""Of 8, 16, 31 and 32 bits."""
_MOST_OVEREXPOSED = 16.0
"""White is 1.0 in numbers with a fraction. Lights may go beyond it; so far beyond, the scale is another one."""


def is_deep_grey(image: Image) -> bool:
    """True for a grey picture of more than 8 bits a pixel."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def reduce_to_eight_bit(image: Image) -> Image:
    """A grey picture of more than 8 bits as ``L``. Its pixels must have been decoded."""
    tags: Any = getattr(image, "tag_v2", {})
    values = _read_values(image, tags)
    scale = 255 / _find_white_level(image, values, tags)
    grey = values.point(lambda value: value * scale + 0.5).convert("L")
    return grey.point([255 - value for value in range(256)]) if _is_inverted(tags) else grey


def find_equal(image: Image, value: int) -> Image:
    """255 where a grey picture of 16 bits has that value, 0 elsewhere, as ``L``."""
    from PIL import ImageMath

    equal: Any = ImageMath.lambda_eval(lambda names: (names["values"] == value) * 255, values=image.convert("I"))
    return equal.convert("L")


def _read_values(image: Image, tags: Any) -> Image:
    """The values as ``F``; those of 32 bits without a sign come from Pillow with one."""
    from PIL import ImageMath

    if image.mode != "I":
        return (image if image.mode == "F" else image.convert("I")).convert("F")
    if _get_first(tags, _SAMPLE_FORMAT, 1) == _SIGNED or _get_first(tags, _BITS_PER_SAMPLE, 16) != 32:
        return image.convert("F")
    unsigned: Any = ImageMath.lambda_eval(
        lambda names: names["float"](names["values"]) + names["float"](names["values"] < 0) * 2.0**32, values=image
    )
    return unsigned


def _find_white_level(image: Image, values: Image, tags: Any) -> float:
    if image.mode.startswith("I;16"):
        return 2.0 ** _get_first(tags, _BITS_PER_SAMPLE, 16) - 1
    extrema: Any = values.getextrema()
    largest = float(extrema[1])
    if image.mode == "F":
        return 1.0 if not largest > _MOST_OVEREXPOSED else _find_container(largest)
    if _get_first(tags, _BITS_PER_SAMPLE, 32) == 16:  # with a sign: without one they come as I;16
        return 2.0**15 - 1
    if _get_first(tags, _SAMPLE_FORMAT, 1) == _SIGNED:
        return _find_container(largest)
    return _find_container(largest) if largest <= _WHITE_LEVELS[1] else _WHITE_LEVELS[-1]


def _find_container(largest: float) -> float:
    """White in the smallest whole numbers that hold the value: what is kept in 32 bits seldom needs them."""
    return next((level for level in _WHITE_LEVELS if largest <= level), largest)


def _is_inverted(tags: Any) -> bool:
    return _PHOTOMETRIC in tags and tags[_PHOTOMETRIC] == _WHITE_IS_ZERO


def _get_first(tags: Any, tag: int, default: int) -> int:
    value: Any = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)  # pyright: ignore[reportUnknownArgumentType]  # whatever a tag holds
