"""Lightness, contrast and strength of colour, each times a factor; and all colour taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from atelier_mcp.server.images.transformation import Transformation


def adjust_tones(image: Image, transformation: Transformation) -> tuple[Image, list[str]]:
    """The picture with its tones changed, and what was done; transparency stays as it is.

    A factor of 1 changes nothing, 0 makes it black, even grey or colourless.
    """
    from PIL import ImageEnhance

    done: list[str] = []
    if transformation.is_grey:
        grey = image.convert("LA" if image.mode == "RGBA" else "L")
        image = grey.convert(image.mode)
        done.append("made grey")
    for name, factor in _list_factors(transformation):
        enhancer = {
            "brightness": ImageEnhance.Brightness,
            "contrast": ImageEnhance.Contrast,
            "saturation": ImageEnhance.Color,
        }[name]
        image = enhancer(image).enhance(factor)
        done.append(f"{name} times {factor:g}")
    return image, done


def _list_factors(transformation: Transformation) -> Iterator[tuple[str, float]]:
    for name in ("brightness", "contrast", "saturation"):
        factor: float = getattr(transformation, name)
        if factor != 1:
            yield name, factor
