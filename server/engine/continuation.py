"""Helps `outpaint` where patches fail: finds what must not be copied, and fades the border's own colours outwards.

A border continued with patches is excellent where it is texture and absurd where something particular was cut off: a
sleeve ends in a straight line, a tower grows a second one on its top. So what is thin and stands out is kept from
being copied (`find_thin_details`), and where the patches next to the border have other colours than the border, they
are mixed with a soft continuation of it: its colours go on, blurred the more the farther out (`compute_fade`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane

SPREAD: Final = 0.45
"""How far a border colour spreads sideways, for each pixel outwards."""
RIM_PX: Final = 8
"""How far past the border the patches are compared with it."""
STRAY: Final = (9.0, 24.0)
"""Distances in 8-bit Lab within that rim: from the first on the soft continuation shows, from the second it is all."""
FADE_SHARE: Final = 0.2
"""Of the longer side: how far out the soft continuation reaches."""
THIN_SHARE: Final = 0.035
"""Of the longer side: what is narrower than this is thin."""
THIN_STEPS: Final = 22
"""How many byte steps brighter or darker than its surroundings a thin thing is, at least, to stand out."""
LEAST_DENSE: Final = 0.2
"""Masts and letters come in numbers; a lone thin pixel with less of the like around it is grain, and is texture."""


class Frame(NamedTuple):
    """Where the source lies in the canvas, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def inside(self) -> tuple[slice, slice]:
        """The source's rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def clip_to(self, shape: tuple[int, ...]) -> Frame:
        """What of it lies in a canvas of that shape."""
        left, top = max(0, self.left), max(0, self.top)
        right, bottom = min(shape[1], self.left + self.width), min(shape[0], self.top + self.height)
        return Frame(left, top, right - left, bottom - top)


def find_thin_details(image: Pixels) -> Mask:
    """255 where something thin is set off from what is around it: masts, letters, stars of a flag.

    By the white and the black top-hat: what an opening or a closing with a brush as wide as "thin" takes away.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # At least three: a brush of one pixel would take nothing away.
    side = max(3, int(THIN_SHARE * max(grey.shape)))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    contrast = cv2.max(*(cv2.morphologyEx(grey, how, brush) for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)))
    is_thin = np.greater(contrast, THIN_STEPS).astype(np.float32)
    is_dense = cv2.blur(is_thin, (side, side)) > LEAST_DENSE
    return cv2.dilate((is_dense & (is_thin > 0)).astype(np.uint8) * 255, brush)


def compute_fade(canvas: Pixels, frame: Frame) -> Array:
    """The soft continuation of the canvas, RGB in [0, 255], and its share in [0, 1] as a fourth plane, ``float32``.

    The share is 1 at the border where the patches beside it have quite other colours, 0 where they match, and falls
    outwards.
    """
    soft = extend_softly(canvas[frame.inside].astype(np.float32), frame, canvas.shape[:2])
    return np.dstack([soft, _compute_soft_share(canvas, soft, frame)])


def extend_softly(source: Array, frame: Frame, shape: tuple[int, ...]) -> Array:
    """Planes of the source's size brought to the canvas: outside, each border colour in a cone that widens outwards.

    A blur whose width grows with the distance would need a kernel for every pixel; instead the source is blurred at
    doubling widths, each copy extended by its border pixels, and neighbouring copies mixed (as mipmaps are).
    """
    away = _compute_distance(frame, shape)
    # In the order of ``copyMakeBorder``: top, bottom, left, right.
    margins = (frame.top, shape[0] - frame.top - frame.height, frame.left, shape[1] - frame.left - frame.width)
    width = np.log2(1 + away * np.float32(SPREAD))
    result = np.zeros((*shape[:2], source.shape[2]), np.float32)
    for level in range(int(np.ceil(float(width.max()))) + 1):
        # Each pixel lies between two levels, and the shares of the two add up to one.
        share = np.clip(1 - np.abs(width - level), 0, 1)
        blurred = source if level == 0 else _blur(source, float(2**level - 1))
        extended = cv2.copyMakeBorder(blurred, *margins, cv2.BORDER_REPLICATE)
        result += extended.reshape(result.shape) * share[..., np.newaxis]
    return result


def _compute_soft_share(canvas: Pixels, soft: Array, frame: Frame) -> Plane:
    """The share of the soft continuation: measured in a rim along the border, carried outwards, fading."""
    away = _compute_distance(frame, canvas.shape)
    patches = cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 2)
    colour_distance = np.linalg.norm(_to_lab(patches) - _to_lab(cv2.GaussianBlur(soft, (0, 0), 2)), axis=2)
    mismatch = np.clip((colour_distance - STRAY[0]) / np.float32(STRAY[1] - STRAY[0]), 0, 1)
    rim = ((away > 0) & (away <= RIM_PX)).astype(np.float32)
    wide = Frame(frame.left - RIM_PX, frame.top - RIM_PX, frame.width + 2 * RIM_PX, frame.height + 2 * RIM_PX)
    wide = wide.clip_to(canvas.shape)
    # Mismatch and weight are spread alike and divided afterwards, so that what is outside of the rim counts for
    # nothing.
    rim_mismatch = np.dstack([mismatch * rim, rim, rim])[wide.inside]
    extended = extend_softly(rim_mismatch, wide, canvas.shape)
    fade = np.exp(-((away / np.float32(FADE_SHARE * max(canvas.shape[:2]))) ** 2))
    return np.clip(extended[..., 0] / np.maximum(extended[..., 1], np.float32(1e-3)), 0, 1) * fade


def _compute_distance(frame: Frame, shape: tuple[int, ...]) -> Plane:
    """How far each pixel of the canvas is from the source."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    down = np.maximum(np.maximum(frame.top - rows, rows - (frame.top + frame.height - 1)), 0)
    across = np.maximum(np.maximum(frame.left - columns, columns - (frame.left + frame.width - 1)), 0)
    return np.hypot(down, across).astype(np.float32)


def _blur(planes: Array, sigma: float) -> Array:
    """A Gaussian blur; a wide one is done on a reduced copy."""
    height, width = planes.shape[:2]
    # A blur of four pixels on the reduced copy loses nothing that the eye would see.
    step = int(min(sigma / 4, height / 8, width / 8))
    if step < 2:
        blurred = cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    else:
        small = cv2.resize(planes, (width // step, height // step), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT)
        blurred = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return blurred if blurred.ndim == planes.ndim else blurred[..., np.newaxis]


def _to_lab(colours: Array) -> Array:
    return cv2.cvtColor(np.clip(colours, 0, 255).astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
