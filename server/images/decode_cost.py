"""What decoding a picture may take, read from its bytes without a decoder: pixels, and how often they are gone over.

A header's width and height are not what a decoder allocates: a TIFF of 256 x 256 may be one tile of a hundred thousand
times the size, a HEIC's coded picture larger than the shown one, and a JPEG goes over all its pixels once a scan. So
every size that a file claims anywhere counts. It reads what is said, never what is compressed, and takes milliseconds
for any file. What it overlooks ends at the worker's limits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from mmap import mmap

    Bytes = bytes | mmap

MOST_CLAIMS: Final = 10_000
"""So many sizes of one file are looked at; no picture has as many."""

_JPEG_SCAN: Final = b"\xff\xda"
# Frames of all kinds begin with their size; 0xC4, 0xC8 and 0xCC are other things.
_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
# Filling, TEM, RST0 to RST7 and SOI.
_JPEG_WITHOUT_LENGTH: Final = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})

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
            scans = max(1, sum(1 for _ in _find(_JPEG_SCAN, data)))
            return DecodeCost(*_find_largest(_iterate_jpeg_sizes(data)), scans=scans)
        case "PNG":
            return DecodeCost(*_find_largest(_iterate_sizes(b"IHDR", data, offset=4)))
        case "WEBP":
            return DecodeCost(*_find_largest(_iterate_webp_sizes(data)))
        case "TIFF":
            return _estimate_tiff(data)
        case "AVIF" | "HEIF":
            # After the mark, version and flags.
            return DecodeCost(*_find_largest(_iterate_sizes(b"ispe", data, offset=8)))
        case "GIF":
            return DecodeCost(*_find_largest([struct.unpack("<HH", data[6:10].ljust(4, b"\0"))]))
        case _:
            width, height = struct.unpack("<ii", data[18:26].ljust(8, b"\0"))
            return DecodeCost(abs(width), abs(height))


def _find(mark: bytes, data: Bytes) -> Iterator[int]:
    """Where a mark stands. Not by an expression: with a large file that would hold up the event loop."""
    position = -1
    for _ in range(MOST_CLAIMS):
        position = data.find(mark, position + 1)
        if position < 0:
            return
        yield position


def _iterate_sizes(mark: bytes, data: Bytes, *, offset: int) -> Iterator[tuple[int, int]]:
    """Two numbers of four bytes each, so far behind the beginning of a mark."""
    for position in _find(mark, data):
        width, height = struct.unpack(">II", data[position + offset : position + offset + 8].ljust(8, b"\0"))
        yield width, height


def _iterate_jpeg_sizes(data: Bytes) -> Iterator[tuple[int, int]]:
    """Of the frames in front of the pixels."""
    position = 0
    for _ in range(MOST_CLAIMS):
        position = data.find(b"\xff", position)
        head = data[position : position + 9]
        if position < 0 or len(head) < 9 or head.startswith(_JPEG_SCAN):
            return
        if head[1] in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", head, 5)
            yield width, height
        if head[1] == 0xFF:
            position += 1
        else:
            position += 2 if head[1] in _JPEG_WITHOUT_LENGTH else 2 + int.from_bytes(head[2:4])


def _find_largest(sizes: Iterable[tuple[int, ...]]) -> tuple[int, int]:
    width, height = max(sizes, key=prod, default=(0, 0))
    return width, height


def _iterate_webp_sizes(data: Bytes) -> Iterator[tuple[int, int]]:
    """Of the canvas, and of every picture in the file."""
    for position in _find(b"VP8", data):
        kind, body = data[position + 3 : position + 4], data[position + 8 : position + 18].ljust(10, b"\0")
        if kind == b"X":
            yield 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind == b" ":
            width, height = struct.unpack_from("<HH", body, 6)
            yield width & 0x3FFF, height & 0x3FFF
        elif kind == b"L":
            bits = int.from_bytes(body[1:5], "little")
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
