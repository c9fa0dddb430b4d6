"""A bright area made wider or narrower, by so many pixels on every side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_EXACT_PIXELS: Final = 8_000_000
"""A larger area is worked on in a smaller picture: a worker's time is limited, and nobody sees the difference."""
LEAST_SMALL_RADIUS_PX: Final = 4
"""Below it a small picture is too coarse; so few pixels take few moves, and are quick in a large one."""
_DIRECTIONS: Final = 24


def dilate(area: Image, radius: int) -> Image:
    """The bright area of an ``L`` image wider by ``radius`` pixels, round at its corners; none of it is lost."""
    from PIL.ImageChops import lighter

    scale = min(1.0, math.sqrt(MAX_EXACT_PIXELS / (area.width * area.height)))
    if scale == 1 or radius * scale < LEAST_SMALL_RADIUS_PX:
        return _dilate_exactly(area, radius)
    small = area.resize((max(1, int(area.width * scale)), max(1, int(area.height * scale))))
    grown = _dilate_exactly(small, round(radius * scale)).resize(area.size)
    # A thin line may be lost in the small one.
    return lighter(grown, area)


def erode(area: Image, radius: int) -> Image:
    """The bright area narrower by ``radius`` pixels; what lies along the image's border stays there."""
    from PIL import ImageOps

    # The dark around it grows; beyond the border there is none to grow from.
    return ImageOps.invert(dilate(ImageOps.invert(area), radius))


def _dilate_exactly(area: Image, radius: int) -> Image:
    """A disc moved round by its own radius covers one of twice that, hence the doubling: some ten moves each."""
    from PIL.ImageChops import lighter

    done = 0
    while done < radius:
        step = min(max(done, 1), radius - done)
        grown = area
        for x, y in _list_offsets(step):
            # What lies outside of the image is read as black.
            grown = lighter(grown, area.crop((x, y, x + area.width, y + area.height)))
        area, done = grown, done + step
    return area


def _list_offsets(radius: int) -> set[tuple[int, int]]:
    """Points of a circle, in whole pixels."""
    angles = (2 * math.pi * index / _DIRECTIONS for index in range(_DIRECTIONS))
    return {(round(radius * math.cos(angle)), round(radius * math.sin(angle))) for angle in angles}
