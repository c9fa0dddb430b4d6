"""Which sizes a model draws, and the one that suits what was asked for.

The wish is met exactly: the model draws a size that covers it, and what lies beyond is cropped by ourselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Reframe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.finish_plan import Size

MAX_ENLARGEMENT: Final = 2.0
"""What a model draws smaller than it was asked for is enlarged by ourselves up to this; beyond, it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSizes:
    """Any size within bounds; sides and pixels with both ends allowed."""

    multiple_of: int = 1
    min_edge: int = 64
    max_edge: int = 8192
    min_pixels: int = 0
    max_pixels: int = 8192 * 8192
    max_aspect: float = 100.0
    default: Size = (1024, 1024)

    def find(self, size: Size) -> Size:
        """The allowed size nearest to one, larger rather than smaller."""
        width, height = _limit_aspect(size, self.max_aspect)
        scale = max(1.0, self.min_edge / min(width, height), math.sqrt(self.min_pixels / (width * height)))
        scale = min(scale, self.max_edge / max(width, height), math.sqrt(self.max_pixels / (width * height)))
        return self._round(width * scale, height * scale)

    def _round(self, width: float, height: float) -> Size:
        step = self.multiple_of
        # A hair beyond a multiple by rounding alone must not become the next one.
        up = tuple(math.ceil(side / step - 1e-9) * step for side in (width, height))
        if max(up) <= self.max_edge and math.prod(up) <= self.max_pixels and self._has_aspect(up):
            return up[0], up[1]
        down = [max(math.floor(side / step + 1e-9) * step, step) for side in (width, height)]
        while not self._has_aspect(down):
            down[down.index(max(down))] -= step
        return down[0], down[1]

    def _has_aspect(self, size: Sequence[int]) -> bool:
        return max(size) <= self.max_aspect * min(size)


@dataclass(frozen=True, slots=True)
class ListedSizes:
    """A few sizes; the first is the default."""

    sizes: tuple[Size, ...]

    @property
    def default(self) -> Size:
        """The first."""
        return self.sizes[0]

    def find(self, size: Size) -> Size:
        """That of the nearest ratio of sides; of several the smallest that covers the wish, else the largest."""
        ratio = math.log(size[0] / size[1])
        nearest = min(abs(math.log(width / height) - ratio) for width, height in self.sizes)
        fitting = sorted(one for one in self.sizes if abs(math.log(one[0] / one[1]) - ratio) < nearest + 1e-6)
        return next((one for one in fitting if one[0] >= size[0] and one[1] >= size[1]), fitting[-1])


@dataclass(frozen=True, slots=True)
class RatioSizes:
    """Ratios of sides at a few resolutions: the short side's pixels, roughly, by name."""

    ratios: tuple[str, ...]
    resolutions: tuple[tuple[str, int], ...]
    default: Size = (1024, 1024)

    def find(self, size: Size) -> Size:
        """The size that the chosen names stand for, roughly."""
        ratio, resolution = self.find_names(size)
        return self._measure(ratio, dict(self.resolutions)[resolution])

    def find_names(self, size: Size) -> tuple[str, str]:
        """The nearest ratio, and the smallest resolution that covers the wish, else the largest."""
        wanted = math.log(size[0] / size[1])
        ratio = min(self.ratios, key=lambda name: abs(math.log(_parse_ratio(name)) - wanted))
        for name, side_px in self.resolutions:
            width, height = self._measure(ratio, side_px)
            if width >= size[0] and height >= size[1]:
                return ratio, name
        return ratio, self.resolutions[-1][0]

    def _measure(self, ratio: str, side_px: int) -> Size:
        share = math.sqrt(_parse_ratio(ratio))
        return round(side_px * share), round(side_px / share)


SizeRule: TypeAlias = FreeSizes | ListedSizes | RatioSizes


def plan_frame(wanted: Size, sent: Size) -> Reframe:
    """What makes the size that was wanted of a picture of about the ``sent`` one: its middle, brought to size.

    Raises ``InvalidRequest`` where that would enlarge it too much.
    """
    scale = min(sent[0] / wanted[0], sent[1] / wanted[1])
    if 1 / scale > MAX_ENLARGEMENT:
        raise InvalidRequest(
            f"width, height: {wanted[0]}x{wanted[1]} cannot be made; the model's nearest size is {sent[0]}x{sent[1]}.",
            hint="Ask for a smaller size, and enlarge the picture with upscale_image.",
        )
    return Reframe(size=wanted, keeps_ratio=True)


def _limit_aspect(size: Size, max_aspect: float) -> tuple[float, float]:
    """The size, grown on its short side where it is too long for the model."""
    longest = max(size) / max_aspect
    return max(size[0], longest), max(size[1], longest)


def _parse_ratio(name: str) -> float:
    across, _, down = name.partition(":")
    return float(across) / float(down)
