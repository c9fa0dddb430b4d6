"""Small JPEGs of stored pictures, for a reader who cannot open files."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING

from atelier.server.images.pixels import checkered, plain
from atelier.server.images.probe import load, open_picture, probe_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

_QUALITIES = (85, 75, 65, 50)
_SHRINK = 0.75
_SMALLEST_PX = 32


async def previews(paths: Sequence[Path], *, longest_px: int = 512, budget_bytes: int = 400_000) -> list[bytes]:
    """One JPEG per picture, in order, no side longer than ``longest_px``, together at most ``budget_bytes``.

    Quality gives way first, then size; transparency is shown on a light checkerboard. Nothing is enlarged. Raises
    ``ImageRefused`` for a damaged picture.
    """
    small = await asyncio.gather(*(asyncio.to_thread(_small, path, longest_px) for path in paths))
    return await asyncio.to_thread(_within, small, longest_px, budget_bytes)


def _small(path: Path, longest_px: int) -> Image:
    from PIL import ImageOps

    header = probe_file(path)
    with path.open("rb") as stream, open_picture(stream, header.format) as picture:
        picture.draft("RGB", (longest_px, longest_px))
        load(picture)
        image = plain(picture)
        image.thumbnail((longest_px, longest_px), reducing_gap=2.0)
        if header.rotated:
            ImageOps.exif_transpose(image, in_place=True)
        return checkered(image)


def _within(images: Sequence[Image], longest_px: int, budget_bytes: int) -> list[bytes]:
    """The first encoding that fits; the smallest and coarsest one when none does."""
    encoded: list[bytes] = []
    while longest_px >= _SMALLEST_PX:
        for quality in _QUALITIES:
            encoded = [_jpeg(image, quality) for image in images]
            if sum(map(len, encoded)) <= budget_bytes:
                return encoded
        longest_px = int(longest_px * _SHRINK)
        for image in images:
            image.thumbnail((longest_px, longest_px))
    return encoded


def _jpeg(image: Image, quality: int) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
