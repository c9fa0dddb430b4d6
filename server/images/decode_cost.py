"""What decoding a picture may take, read from its bytes without a decoder: pixels, and how often they are gone over.

A header's width and height are not what a decoder allocates: a TIFF of 256 x 256 may be one tile of a hundred thousand
times the size, a HEIC's coded picture larger than the shown one, and a JPEG goes over all its pixels once a scan. So
every size that a file claims anywhere counts. It reads what is said, never what is compressed, and takes milliseconds
for any file. What it overlooks ends at the worker's limits.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from mmap import mmap

    Bytes = bytes | mmap

MOST_CLAIMS: Final = 10_000
"""So many sizes of one file are looked at; no picture has as many."""

# A start of frame, which has the size: length, depth, height, width. 0xC4, 0xC8 and 0xCC are other things.
_JPEG_SIZE: Final = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..[\x08\x0c](....)", re.DOTALL)
_JPEG_SCAN: Final = re.compile(rb"\xff\xda")
_PNG_SIZE: Final = re.compile(rb"IHDR(........)", re.DOTALL)
_WEBP_CANVAS: Final = re.compile(rb"VP8X........(......)", re.DOTALL)
_WEBP_LOSSY: Final = re.compile(rb"VP8 .......\x9d\x01\x2a(....)", re.DOTALL)
_WEBP_LOSSLESS: Final = re.compile(rb"VP8L....\x2f(....)", re.DOTALL)
_ISO_SIZE: Final = re.compile(rb"ispe....(........)", re.DOTALL)

_WIDTH, _HEIGHT, _BITS, _SAMPLES, _ROWS_PER_STRIP, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 258, 277, 278, 322, 323
_TIFF_TYPES: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True, slots=True)
class DecodeCost:
    """What a file says that its decoding takes."""

    width: int
    height: int
    """The largest of its sizes in pixels; 0 where it names none."""
    bytes_per_pixel: int = 4
    """Four is what a decoded pixel has here, however few it has in the file."""
    scans: int = 1
    """How often a JPEG's pixels are gone over."""
    what: str = "The picture"
    """Which of its parts has that size, as the beginning of a sentence."""
    shown_pixels: int | None = None
    """Of the picture itself, where that can be told from its parts."""

    @property
    def pixels(self) -> int:
        """Of the largest size."""
        return self.width * self.height


def estimate_cost(data: Bytes, image_format: str) -> DecodeCost:
    """The cost of a file in Pillow's ``image_format``. Never raises."""
    match image_format:
        case "JPEG":
            sizes = [struct.unpack(">HH", found[1])[::-1] for found in _find(_JPEG_SIZE, data)]
            return DecodeCost(*_find_largest(sizes), scans=sum(1 for _ in _find(_JPEG_SCAN, data)))
        case "PNG":
            return DecodeCost(*_find_largest(struct.unpack(">II", found[1]) for found in _find(_PNG_SIZE, data)))
        case "WEBP":
            return DecodeCost(*_find_largest(_iterate_webp_sizes(data)))
        case "TIFF":
            return _estimate_tiff(data)
        case "AVIF" | "HEIF":
            return DecodeCost(*_find_largest(struct.unpack(">II", found[1]) for found in _find(_ISO_SIZE, data)))
        case "GIF":
            return DecodeCost(*_find_largest([struct.unpack("<HH", data[6:10].ljust(4, b"\0"))]))
        case _:
            width, height = struct.unpack("<ii", data[18:26].ljust(8, b"\0"))
            return DecodeCost(abs(width), abs(height))


def _find(pattern: re.Pattern[bytes], data: Bytes) -> Iterator[re.Match[bytes]]:
    return islice(pattern.finditer(data), MOST_CLAIMS)


def _find_largest(sizes: Iterable[tuple[int, ...]]) -> tuple[int, int]:
    width, height = max(sizes, key=prod, default=(0, 0))
    return width, height


def _iterate_webp_sizes(data: Bytes) -> Iterator[tuple[int, ...]]:
    for found in _find(_WEBP_CANVAS, data):
        yield 1 + int.from_bytes(found[1][:3], "little"), 1 + int.from_bytes(found[1][3:], "little")
    for found in _find(_WEBP_LOSSY, data):
        width, height = struct.unpack("<HH", found[1])
        yield width & 0x3FFF, height & 0x3FFF
    for found in _find(_WEBP_LOSSLESS, data):
        bits = int.from_bytes(found[1], "little")
        yield 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _estimate_tiff(data: Bytes) -> DecodeCost:
    try:
        tags = _read_tiff_tags(data)
    except (struct.error, IndexError, OverflowError):
        return DecodeCost(0, 0)
    width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
    rows = min(tags.get(_ROWS_PER_STRIP, height), height)  # usual for all of them is the largest number there is
    sizes = {
        "The picture": (width, height),
        "One of its strips": (width, rows),
        "One of its tiles": (tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)),
    }
    what = max(sizes, key=lambda part: prod(sizes[part]))
    bytes_per_pixel = tags.get(_SAMPLES, 1) * tags.get(_BITS, 8) // 8
    return DecodeCost(*sizes[what], max(4, bytes_per_pixel), what=what, shown_pixels=width * height)


def _read_tiff_tags(data: Bytes) -> dict[int, int]:
    """The first number of each tag of the first picture that is whole numbers."""
    order = "<" if data[:2] == b"II" else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")
    entry, count_form = (order + "HHQ", "Q") if is_big else (order + "HHI", "H")
    (start,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    (count,) = struct.unpack_from(order + count_form, data, start)
    start += struct.calcsize(count_form)
    size = 20 if is_big else 12
    tags: dict[int, int] = {}
    for position in range(start, start + size * min(count, MOST_CLAIMS), size):
        tag, kind, values = struct.unpack_from(entry, data, position)
        form = _TIFF_TYPES.get(kind)
        if form is None or not values:
            continue
        value_at = position + struct.calcsize(entry)
        # What does not fit into the entry lies elsewhere, where the entry says.
        if values * struct.calcsize(form) > (8 if is_big else 4):
            (value_at,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, value_at)
        (tags[tag],) = struct.unpack_from(order + form, data, value_at)
    return tags
