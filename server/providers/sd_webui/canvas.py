"""The canvas of an outpainting: the source on it, and the mask of what is to be drawn around it.

A WebUI has no call for it: it is padded and masked here (contract: img2img.outpaint).
"""

from __future__ import annotations

import asyncio
import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.encode import encode_image
from atelier_mcp.server.images.probe import probe

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.finish_plan import Size

OVERLAP_PX: Final = 8
"""How far into the source it is drawn anew, so that the seam grows together; the source is put back over it."""
BLUR_SHARE: Final = 0.03
WORK, KEEP = 0, 255
"""As all our masks: black is drawn."""


@dataclass(frozen=True, slots=True)
class PaddedImage:
    """Both as base64."""

    image: str
    mask: str


async def measure(image: str) -> Size:
    """Width and height of a picture in base64."""
    header = await asyncio.to_thread(lambda: probe(base64.b64decode(image)))
    return header.width, header.height


async def pad(image: str, canvas: Size, at: tuple[int, int]) -> PaddedImage:
    """The source, in base64, on a canvas with its blurred colours around it, and the mask of that."""
    return await asyncio.to_thread(_pad, image, canvas, at)


def _pad(image: str, canvas: Size, at: tuple[int, int]) -> PaddedImage:
    from PIL import Image, ImageFilter

    with Image.open(io.BytesIO(base64.b64decode(image))) as opened:
        source = opened.convert("RGB")
    ground = source.resize(canvas).filter(ImageFilter.GaussianBlur(max(canvas) * BLUR_SHARE))
    ground.paste(source, at)
    return PaddedImage(_encode(ground), _encode(_draw_mask(source.size, canvas, at)))


def _draw_mask(source: Size, canvas: Size, at: tuple[int, int]) -> Image:
    """White over the source, but for a rim at the sides that are extended."""
    from PIL import Image

    mask = Image.new("L", canvas, WORK)
    left, top = (edge + OVERLAP_PX if edge > 0 else 0 for edge in at)
    right, bottom = (
        edge + length - OVERLAP_PX if edge + length < side else side
        for edge, length, side in zip(at, source, canvas, strict=True)
    )
    mask.paste(KEEP, (left, top, right, bottom))
    return mask


def _encode(image: Image) -> str:
    return base64.b64encode(encode_image(image, "png")).decode()
