"""Small JPEGs of stored pictures, for a reader who cannot open files. Decodes: called in a worker (``workers``)."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.pixels import flatten_on_checkerboard
from atelier_mcp.server.images.probe import read_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

_QUALITIES = (85, 75, 65, 50)
_SHRINK = 0.75
_MIN_SIDE_PX = 32


class Preview(NamedTuple):
    """A small JPEG of a picture; its size in pixels."""

    data: bytes
    width: int
    height: int


def create_previews(
    paths: Sequence[Path],
    *,
    longest_px: int = 512,
    budget_bytes: int = 400_000,
    base_images: Mapping[Path, Path] | None = None,
) -> list[Preview]:
    """One JPEG per picture, in order, no side longer than ``longest_px``, together at most ``budget_bytes``.

    Quality gives way first, then size; transparency is shown on a light checkerboard. Nothing is enlarged. A mask is
    shown in red on the picture that ``base_images`` names for it. Raises ``ImageRefused`` for a damaged picture.
    """
    base_by_mask = base_images or {}
    images = [_render_preview(path, base_by_mask.get(path), longest_px) for path in paths]
    return encode_previews(images, longest_px=longest_px, budget_bytes=budget_bytes)


def create_view(source: Path | bytes, *, longest_px: int, budget_bytes: int, region: tuple[int, ...] = ()) -> Preview:
    """One JPEG of a picture, a file or its bytes, or of the part ``region``: x, y, width, height in upright pixels.

    A region that reaches beyond the picture ends at its edge. Raises ``InvalidRequest`` for one that is no region or
    lies wholly outside, ``ImageRefused`` for a damaged picture.
    """
    image = _load_region(source, longest_px, region) if region else _load_thumbnail(source, longest_px)
    return encode_previews([image], longest_px=longest_px, budget_bytes=budget_bytes)[0]


def render_overlay(image: bytes, mask: bytes, *, longest_px: int, budget_bytes: int) -> Preview:
    """One JPEG of a picture with what a mask marks in red. Raises ``ImageRefused`` for a damaged one."""
    from atelier_mcp.server.images.masks import overlay_mask

    tinted_image = overlay_mask(image, mask, longest_px=longest_px)
    return encode_previews([tinted_image], longest_px=longest_px, budget_bytes=budget_bytes)[0]


def _render_preview(path: Path, base_image: Path | None, longest_px: int) -> Image:
    from atelier_mcp.server.images.masks import overlay_mask

    if base_image is None:
        return _load_thumbnail(path, longest_px)
    return overlay_mask(read_image(base_image), read_image(path), longest_px=longest_px)


def _load_thumbnail(source: Path | bytes, longest_px: int) -> Image:
    image = _decode(source, longest_px=longest_px)
    image.thumbnail((longest_px, longest_px), reducing_gap=2.0)
    return flatten_on_checkerboard(image)


def _load_region(source: Path | bytes, longest_px: int, region: tuple[int, ...]) -> Image:
    image = _decode(source)  # at full size: the region is given in its pixels
    part = flatten_on_checkerboard(image.crop(clip_region(region, image.size)))
    part.thumbnail((longest_px, longest_px), reducing_gap=2.0)
    return part


def _decode(source: Path | bytes, *, longest_px: int | None = None) -> Image:
    data = source if isinstance(source, bytes) else read_image(source)
    return decode_upright(data, longest_px=longest_px)


def clip_region(region: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a region, ended at the picture's edge. Raises ``InvalidRequest`` outside of it."""
    if len(region) != 4 or min(region[2:]) < 1:
        raise InvalidRequest("region: give x, y, width and height in pixels; width and height are at least 1.")
    x, y, width, height = region
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, size[0]), min(y + height, size[1])
    if left >= right or top >= bottom:
        raise InvalidRequest(f"region: it lies outside the picture, which has {size[0]} x {size[1]} pixels.")
    return left, top, right, bottom


def encode_previews(images: Sequence[Image], *, longest_px: int, budget_bytes: int) -> list[Preview]:
    """The pictures, no side longer than ``longest_px``, as JPEGs of together at most ``budget_bytes``.

    The smallest and coarsest where nothing else fits.
    """
    previews: list[Preview] = []
    while longest_px >= _MIN_SIDE_PX:
        for quality in _QUALITIES:
            previews = [Preview(_encode_jpeg(image, quality), *image.size) for image in images]
            if sum(len(preview.data) for preview in previews) <= budget_bytes:
                return previews
        longest_px = int(longest_px * _SHRINK)
        for image in images:
            # In place: the caller's pictures shrink with it.
            image.thumbnail((longest_px, longest_px))
    return previews


def _encode_jpeg(image: Image, quality: int) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
