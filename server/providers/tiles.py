"""Large pictures in tiles that a service takes, with an overlap that hides the seams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from atelier_mcp.server.images.finish_plan import Box, Size

_OVERLAP_ACROSS: Final = 0.22
_OVERLAP_DOWN: Final = 0.08
"""Of a tile, at least: a tile covers the visible marks of those before it, which are wide and low."""


def split_into_tiles(size: Size, tile_px: int) -> tuple[Box, ...]:
    """Boxes with sides of at most ``tile_px`` that cover a picture, row by row, evenly spread."""
    columns = _spread(size[0], tile_px, round(tile_px * _OVERLAP_ACROSS))
    rows = _spread(size[1], tile_px, round(tile_px * _OVERLAP_DOWN))
    return tuple((left, top, right, bottom) for top, bottom in rows for left, right in columns)


def scale_boxes(boxes: tuple[Box, ...], size: Size, new_size: Size) -> tuple[Box, ...]:
    """The same boxes in a version of the picture that has ``new_size``."""
    across, down = new_size[0] / size[0], new_size[1] / size[1]
    return tuple(
        (round(left * across), round(top * down), round(right * across), round(bottom * down))
        for left, top, right, bottom in boxes
    )


def _spread(length: int, tile_px: int, overlap_px: int) -> list[tuple[int, int]]:
    if length <= tile_px:
        return [(0, length)]
    # Each further tile adds its length less one overlap; spread evenly, all overlap by that much or more.
    count = math.ceil((length - overlap_px) / (tile_px - overlap_px))
    starts = (round(index * (length - tile_px) / (count - 1)) for index in range(count))
    return [(start, start + tile_px) for start in starts]
