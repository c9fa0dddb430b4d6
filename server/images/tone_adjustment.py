"""Lightness, contrast and strength of colour, each times a factor; and all colour taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.transformation import Transformation


def adjust_tones(image: Image, transformation: Transformation) -> tuple[Image, list[str]]:
    """The picture with its tones changed, and what was done; transparency stays as it is.

    A factor of 1 changes nothing, 0 makes it black, even grey or colourless.
    """
    done: list[str] = []
    if transformation.is_grey:
        grey = image.convert("LA" if image.mode == "RGBA" else "L")
        image = grey.convert(image.mode)
        done.append("made grey")
    for name, adjust in (("brightness", _brighten), ("contrast", _contrast), ("saturation", _saturate)):
        factor: float = getattr(transformation, name)
        if factor != 1:
            image = adjust(image, factor)
            done.append(f"{name} times {factor:g}")
    return image, done


def _brighten(image: Image, factor: float) -> Image:
    from PIL import ImageEnhance

    return ImageEnhance.Brightness(image).enhance(factor)


def _saturate(image: Image, factor: float) -> Image:
    from PIL import ImageEnhance

    return ImageEnhance.Color(image).enhance(factor)


def _contrast(image: Image, factor: float) -> Image:
    """About the mean lightness of what can be seen: what lies hidden behind transparency has no part in it."""
    from PIL import Image, ImageStat

    lightness = image.convert("L")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    visible = alpha if alpha is not None and alpha.getbbox() is not None else None
    mean = round(ImageStat.Stat(lightness, visible).mean[0])
    even = Image.new("L", image.size, mean).convert(image.mode)
    if alpha is not None:
        even.putalpha(alpha)
    return Image.blend(even, image, factor)
