"""Encoding that keeps a file below a limit: at a lower quality, and where that is not enough, in a smaller size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.encode import encode_image
from atelier_mcp.server.images.resample import resize_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.encode import FileFormat

BYTES_PER_KB: Final = 1000
LOWEST_QUALITY: Final = 10
"""Of a picture whose size was asked for."""
LOWEST_GOOD_QUALITY: Final = 60
"""Below it a smaller picture looks better than a coarser one."""
MOST_PIXELS_PER_BYTE: Final = 80
"""Above it no photo is sharp: it is made smaller at once, not encoded again and again in its full size."""
_SEARCH_STEPS, _SEARCH_STEPS_LARGE = 6, 3
"""Each encodes the whole picture, and a worker's time is limited."""
_LARGE_PIXELS: Final = 4_000_000
_SIZE_MARGIN: Final = 0.97
"""Of the side that the sizes so far promise: smaller pictures take more bytes for a pixel."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A file, and what it took to make it small enough."""

    data: bytes
    quality: int
    size: tuple[int, int]


def encode_within(
    image: Image, file_format: FileFormat, *, max_bytes: int, quality: int, keeps_size: bool
) -> EncodedImage:
    """The picture in at most ``max_bytes``, at the highest quality up to ``quality`` (1 to 100) that has room.

    Where a good quality has none, the picture gets smaller, or coarser still if it ``keeps_size``. Raises
    ``InvalidRequest`` where that is not enough, and for a PNG, which has no quality, where it is too large as it is.
    """
    first = _encode(image, file_format, quality)
    if len(first.data) <= max_bytes:
        return first
    if file_format == "png":
        raise _build_png_refusal(image, len(first.data))
    lowest_quality = min(quality, LOWEST_QUALITY if keeps_size else LOWEST_GOOD_QUALITY)
    if not keeps_size:
        image = _shrink(image, math.sqrt(max_bytes * MOST_PIXELS_PER_BYTE / (image.width * image.height)))
    smallest = _encode(image, file_format, lowest_quality)
    while len(smallest.data) > max_bytes:
        smaller = _shrink(image, math.sqrt(max_bytes / len(smallest.data)) * _SIZE_MARGIN)
        if keeps_size or smaller.size == image.size:
            raise _build_refusal(smallest, keeps_size=keeps_size)
        image = smaller
        smallest = _encode(image, file_format, lowest_quality)
    return _search_quality(image, file_format, max_bytes=max_bytes, lowest=smallest, quality=quality)


def _search_quality(
    image: Image, file_format: FileFormat, *, max_bytes: int, lowest: EncodedImage, quality: int
) -> EncodedImage:
    """The best that fits of a few qualities between that of ``lowest``, which does, and ``quality``."""
    best, too_high = lowest, quality + 1
    is_large = image.width * image.height > _LARGE_PIXELS
    for _ in range(_SEARCH_STEPS_LARGE if is_large else _SEARCH_STEPS):
        middle = (best.quality + too_high) // 2
        if middle == best.quality:
            break
        candidate = _encode(image, file_format, middle)
        if len(candidate.data) <= max_bytes:
            best = candidate
        else:
            too_high = middle
    return best


def _encode(image: Image, file_format: FileFormat, quality: int) -> EncodedImage:
    return EncodedImage(encode_image(image, file_format, quality=quality), quality, image.size)


def _shrink(image: Image, factor: float) -> Image:
    if factor >= 1:
        return image
    return resize_image(image, (max(1, int(image.width * factor)), max(1, int(image.height * factor))))


def _build_refusal(smallest: EncodedImage, *, keeps_size: bool) -> InvalidRequest:
    width, height = smallest.size
    return InvalidRequest(
        f"max_kb: {width}x{height} takes {_format_kb(len(smallest.data))} even at quality {smallest.quality}.",
        hint="Leave width and height out, and it is made as small as it must be; or raise max_kb."
        if keeps_size
        else "Raise max_kb.",
    )


def _build_png_refusal(image: Image, size_bytes: int) -> InvalidRequest:
    call = (
        'format="webp": the same call with it does that, and keeps the transparency'
        if image.mode == "RGBA"
        else 'format="jpg" or "webp": the same call with it does that'
    )
    return InvalidRequest(
        f"max_kb: as png it takes {_format_kb(size_bytes)}, and a png cannot be made coarser.", hint=f"Say {call}."
    )


def _format_kb(size_bytes: int) -> str:
    """A file's size, rounded up so that it is never said to be below what it is."""
    return f"{math.ceil(size_bytes / BYTES_PER_KB):,} kB"
