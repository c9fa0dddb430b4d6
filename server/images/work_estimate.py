"""How much memory a call in a worker may need, by the pictures among its arguments."""

from __future__ import annotations

import mmap
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.images.decode_cost import estimate_cost
from atelier_mcp.server.images.formats import HEAD_BYTES, detect_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MIN_CALL_BYTES: Final = 200_000_000
"""What every call gets, however small its pictures: room for a result of 12 megapixels."""
_COPIES: Final = {"WEBP": 4, "AVIF": 5, "HEIF": 5}
"""How often a picture lies in memory at once while it is worked on; these decoders keep copies of their own."""
_USUAL_COPIES: Final = 3


def find_sources(values: Iterable[Any]) -> Iterator[bytes | Path]:
    """The pictures among the arguments of a call."""
    for value in values:
        if isinstance(value, bytes | Path):
            yield value
        elif isinstance(value, list | tuple):
            yield from find_sources(cast("list[Any]", value))
        elif isinstance(value, dict):
            yield from find_sources(cast("Mapping[Any, Any]", value).values())
        elif is_dataclass(value):
            yield from find_sources(getattr(value, field.name) for field in fields(value))


def estimate_bytes(sources: Iterable[bytes | Path]) -> int:
    """What a call may need: one picture being worked on, the largest, and the others decoded beside it."""
    estimates = [_estimate_source(source) for source in sources]
    work_bytes = max((pixel_bytes * copies for _, pixel_bytes, copies in estimates), default=0)
    kept_bytes = sum(file_bytes + pixel_bytes for file_bytes, pixel_bytes, _ in estimates)
    return MIN_CALL_BYTES + work_bytes + kept_bytes


def _estimate_source(source: bytes | Path) -> tuple[int, int, int]:
    """The bytes of a picture's file in a worker and of its pixels, and how often the latter lie there at once."""
    if isinstance(source, bytes):
        return _estimate_image(source)
    try:
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _estimate_image(content)
    except (OSError, ValueError):  # nothing is there, or it is empty: the worker says so
        return 0, 0, 0


def _estimate_image(data: bytes | mmap.mmap) -> tuple[int, int, int]:
    image_format = detect_format(data[:HEAD_BYTES])
    if image_format is None:
        return len(data), 0, 0
    cost = estimate_cost(data, image_format)
    # A file is received, unpickled, and written anew without what is not the picture.
    return 3 * len(data), cost.pixels * cost.bytes_per_pixel, _COPIES.get(image_format, _USUAL_COPIES) - 1
