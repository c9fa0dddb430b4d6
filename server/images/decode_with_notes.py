"""Decoding for local work: any picture as 8-bit sRGB, upright, with words for whatever was not taken as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.images.convert import describe_decoding
from atelier_mcp.server.images.decode import decode_upright

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.probe import ImageHeader


def decode_with_notes(data: bytes, header: ImageHeader) -> tuple[Image, tuple[str, ...]]:
    """The pixels as ``RGB``, or ``RGBA`` where something can be seen through, and what was taken, for a reader.

    Of an animation it is the first picture. Raises ``ImageRefused`` for a damaged picture.
    """
    image = decode_upright(data)
    return image if image.mode == "RGBA" else image.convert("RGB"), tuple(describe_decoding(header))
