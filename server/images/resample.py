"""A picture at another size."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def resize_image(image: Image, size: tuple[int, int]) -> Image:
    """The picture at another size; transparent pixels lend no colour to their neighbours."""
    from PIL.Image import Resampling

    if image.size == size:
        return image
    if image.mode != "RGBA":
        return image.resize(size, Resampling.LANCZOS)
    return image.convert("RGBa").resize(size, Resampling.LANCZOS).convert("RGBA")
