"""Small JPEGs of stored pictures, for a reader who cannot open files."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.pixels import checkered, plain
from atelier_mcp.server.images.probe import load, open_picture, probe_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

_QUALITIES = (85, 75, 65, 50)
_SHRINK = 0.75
_SMALLEST_PX = 32


async def previews(
    paths: Sequence[Path],
    *,
    longest_px: int = 512,
    budget_bytes: int = 400_000,
    beneath: Mapping[Path, Path] | None = None,
) -> list[bytes]:
    """One JPEG per picture, in order, no side longer than ``longest_px``, together at most ``budget_bytes``.

    Quality gives way first, then size; transparency is shown on a light checkerboard. Nothing is enlarged. A mask is
    shown in red on the picture that ``beneath`` names for it. Raises ``ImageRefused`` for a damaged picture.
    """
    grounds = beneath or {}
    small = await asyncio.gather(*(asyncio.to_thread(_shown, path, grounds.get(path), longest_px) for path in paths))
    return await asyncio.to_thread(encoded, small, longest_px=longest_px, budget_bytes=budget_bytes)


async def view(path: Path, *, longest_px: int, budget_bytes: int, region: tuple[int, ...] = ()) -> bytes:
    """One JPEG of a picture, or of the part ``region``: x, y, width and height in its upright pixels.

    A region that reaches beyond the picture ends at its edge. Raises ``InvalidRequest`` for one that is no region or
    lies wholly outside, ``ImageRefused`` for a damaged picture.
    """
    cut = (lambda: _part(path, longest_px, region)) if region else (lambda: _small(path, longest_px))
    small = await asyncio.to_thread(cut)
    return (await asyncio.to_thread(encoded, [small], longest_px=longest_px, budget_bytes=budget_bytes))[0]


def _shown(path: Path, beneath: Path | None, longest_px: int) -> Image:
    from atelier_mcp.server.images.masks import tinted

    if beneath is None:
        return _small(path, longest_px)
    return tinted(beneath.read_bytes(), path.read_bytes(), longest_px=longest_px)


def _small(path: Path, longest_px: int) -> Image:
    with _decoded(path, longest_px) as image:
        image.thumbnail((longest_px, longest_px), reducing_gap=2.0)
        return checkered(_upright(image))


def _part(path: Path, longest_px: int, region: tuple[int, ...]) -> Image:
    with _decoded(path, None) as image:
        part = _upright(image)
        part = checkered(part.crop(_box(region, part.size)))
        part.thumbnail((longest_px, longest_px), reducing_gap=2.0)
        return part


def _decoded(path: Path, longest_px: int | None) -> Image:
    header = probe_file(path)
    with path.open("rb") as stream, open_picture(stream, header.format) as picture:
        if longest_px is not None:
            picture.draft("RGB", (longest_px, longest_px))
        load(picture)
        return plain(picture)


def _upright(image: Image) -> Image:
    from PIL import ImageOps

    ImageOps.exif_transpose(image, in_place=True)
    return image


def _box(region: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    if len(region) != 4 or min(region[2:]) < 1:
        raise InvalidRequest("region: give x, y, width and height in pixels; width and height are at least 1.")
    x, y, width, height = region
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, size[0]), min(y + height, size[1])
    if left >= right or top >= bottom:
        raise InvalidRequest(f"region: it lies outside the picture, which has {size[0]} x {size[1]} pixels.")
    return left, top, right, bottom


def encoded(images: Sequence[Image], *, longest_px: int, budget_bytes: int) -> list[bytes]:
    """The pictures, no side longer than ``longest_px``, as JPEGs of together at most ``budget_bytes``.

    The smallest and coarsest where nothing else fits. Encodes: call it in a thread.
    """
    jpegs: list[bytes] = []
    while longest_px >= _SMALLEST_PX:
        for quality in _QUALITIES:
            jpegs = [_jpeg(image, quality) for image in images]
            if sum(map(len, jpegs)) <= budget_bytes:
                return jpegs
        longest_px = int(longest_px * _SHRINK)
        for image in images:
            image.thumbnail((longest_px, longest_px))
    return jpegs


def _jpeg(image: Image, quality: int) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
