"""A picture continued beyond its borders."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.colour_cells import foreign_to
from atelier_mcp.server.engine.continuation import Frame, melting, standing_out
from atelier_mcp.server.engine.detail import enlarged_fill
from atelier_mcp.server.engine.fill import DETAIL_BELOW, PATCH_RADIUS_PX, fill, grown, shrunk
from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, marked_area, resized

WORK_PX: Final = 560
RING_SHARE: Final = 0.22
LEAST_RING_PX: Final = 8
FOREIGN_SHARE: Final = 0.2
LEAST_FREE: Final = 0.03
"""A ring needs at least this share of the picture to copy from."""

MOST_STANDING: Final = 0.41
"""More of the picture than this does not stand out: it is how the picture is."""


class Side(NamedTuple):
    """One side of the picture.

    ``quarters`` are the anticlockwise quarter turns that bring it to the foot, ``reach`` is the share of the picture,
    counted from this side, its continuation is copied from: the ground is only what lies lowest, the sky what lies
    above the middle, while to the left and right things of all heights may come from anywhere.
    """

    quarters: int
    reach: float


LEFT, TOP, RIGHT, BOTTOM = Side(1, 1.0), Side(2, 0.4), Side(-1, 1.0), Side(0, 0.12)
SIDES: Final = (LEFT, TOP, RIGHT, BOTTOM)
ORDER: Final = (LEFT, RIGHT, TOP, BOTTOM)
"""Sideways first, so that the corners are ground and sky."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture so far, and 255 for what of it may not be copied."""

    picture: Pixels
    barred: Mask

    def turned(self, quarters: int) -> Canvas:
        """The canvas turned anticlockwise by quarters."""
        return Canvas(
            np.ascontiguousarray(np.rot90(self.picture, quarters)),
            np.ascontiguousarray(np.rot90(self.barred, quarters)),
        )


def outpaint(picture: Pixels, *, left: int, top: int, right: int, bottom: int, subject: Mask | None = None) -> Pixels:
    """The RGB picture with that many pixels continued on each side; the source stands in it bit for bit.

    The margin grows in rings, each no wider than `RING_SHARE` of what is there, made of patches of what is there.
    Nothing is copied from the ``subject`` (255 where it is), so that it does not appear twice. Raises ValueError
    for a negative margin or none at all, and for a subject that is empty, covers all or has another size.
    """
    margins = (left, top, right, bottom)
    if min(margins) < 0 or max(margins) == 0:
        raise ValueError(f"margins must not be negative and one must be above 0, not {margins}")
    height, width = picture.shape[:2]
    full = (width + left + right, height + top + bottom)
    barred = np.zeros((height, width), np.uint8) if subject is None else marked_area(picture, subject)
    scale = min(1.0, WORK_PX / max(full))
    grown = _continued(picture, barred, margins, scale=scale)
    melt = melting(grown, Frame(ceil(left * scale), ceil(top * scale), *_small_size(picture, scale)))
    small, melt = (_registered(planes, picture, margins, scale=scale) for planes in (grown, melt))
    if scale < DETAIL_BELOW:
        out = _enlarged(picture, small, margins)
    else:
        out = cv2.resize(small, full, interpolation=cv2.INTER_LANCZOS4)
    out = _molten(out, melt)
    out[top : top + height, left : left + width] = picture
    return out


def _molten(canvas: Pixels, melt: Array) -> Pixels:
    """The canvas as far melted as it should be."""
    melt = cv2.resize(melt, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = melt[..., 3:]
    return np.clip(canvas * (1 - share) + melt[..., :3] * share + np.float32(0.5), 0, 255).astype(np.uint8)


def _registered(small: Array, picture: Pixels, margins: tuple[int, int, int, int], *, scale: float) -> Array:
    """The small canvas shifted by fractions of a pixel, so that enlarged it meets the source exactly.

    Source and margins were rounded to whole small pixels each by itself.
    """
    if scale == 1.0:
        return small
    rows: list[list[float]] = []
    for axis, (before, after) in enumerate(((margins[0], margins[2]), (margins[1], margins[3]))):
        length = picture.shape[1 - axis]
        whole = (before + length + after) / small.shape[1 - axis]
        own = length / _small_side(length, scale)
        shift = (0.5 * whole - before) / own + ceil(before * scale) - 0.5
        rows.append([whole / own, 0, shift] if axis == 0 else [0, whole / own, shift])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, np.array(rows), small.shape[1::-1], flags=how, borderMode=cv2.BORDER_REPLICATE)


def _small_side(length: int, scale: float) -> int:
    """A side of the source at working size."""
    return max(LEAST_RING_PX, round(length * scale))


def _small_size(picture: Pixels, scale: float) -> tuple[int, int]:
    """The source's width and height at working size."""
    return _small_side(picture.shape[1], scale), _small_side(picture.shape[0], scale)


def _enlarged(picture: Pixels, small: Pixels, margins: tuple[int, int, int, int]) -> Pixels:
    """The small continued picture at full size, with the source's fine detail carried into the margins."""
    left, top, right, bottom = margins
    canvas = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REFLECT)
    hole = np.full(canvas.shape[:2], 255, np.uint8)
    hole[top : top + picture.shape[0], left : left + picture.shape[1]] = 0
    return enlarged_fill(canvas, hole, small, shrunk(hole, small.shape[1::-1]))


def _continued(picture: Pixels, barred: Mask, margins: tuple[int, int, int, int], *, scale: float) -> Pixels:
    """The picture with its margins at working size."""
    size = _small_size(picture, scale)
    shown = picture if scale == 1.0 else resized(picture, *size)
    canvas = Canvas(shown, _not_to_copy(shown, cv2.resize(barred, size, interpolation=cv2.INTER_NEAREST)))
    missing = {side: ceil(margin * scale) for side, margin in zip(SIDES, margins, strict=True)}
    while any(missing.values()):
        for side in ORDER:
            turned = canvas.turned(side.quarters)
            step = min(missing[side], max(LEAST_RING_PX, int(RING_SHARE * turned.picture.shape[0])))
            if step:
                canvas = _with_foot(turned, step, reach=side.reach).turned(-side.quarters)
                missing[side] -= step
    return canvas.picture


def _not_to_copy(shown: Pixels, barred: Mask) -> Mask:
    """The subject and what stands out beside it; what stands out nearly everywhere is texture."""
    standing = standing_out(shown)
    beside = barred == 0
    return cv2.bitwise_or(barred, standing) if (standing[beside] > 0).mean() < MOST_STANDING else barred


def _with_foot(canvas: Canvas, step: int, *, reach: float) -> Canvas:
    """The canvas continued by so many rows below, with patches from its lowest share of rows."""
    height, width = canvas.picture.shape[:2]
    below = (0, step, 0, 0)
    base = cv2.copyMakeBorder(canvas.picture, *below, cv2.BORDER_REFLECT_101)
    hole = np.zeros((height + step, width), np.uint8)
    hole[height:] = 255
    closed = cv2.copyMakeBorder(_closed(canvas, step, reach), *below, cv2.BORDER_CONSTANT, value=0)
    filled = fill(base, hole, barred=closed)
    return Canvas(filled, cv2.copyMakeBorder(canvas.barred, *below, cv2.BORDER_CONSTANT, value=0))


def _closed(canvas: Canvas, step: int, reach: float) -> Mask:
    """What must not be copied below: the subject, colours that the lowest rows have not, and what lies too high.

    The last two are dropped where they would leave too little.
    """
    height, width = canvas.picture.shape[:2]
    rim = np.zeros((height, width), np.uint8)
    rim[-max(LEAST_RING_PX, step // 2) :] = 255
    lab = cv2.cvtColor(canvas.picture, cv2.COLOR_RGB2LAB)
    foreign = foreign_to(lab, cv2.subtract(rim, canvas.barred), share=FOREIGN_SHARE)
    familiar_only = cv2.bitwise_or(canvas.barred, grown(foreign, PATCH_RADIUS_PX + 1))
    near_only = familiar_only.copy()
    near_only[: int(height * (1 - reach))] = 255
    for closed in (near_only, familiar_only):
        if closed.size - cv2.countNonZero(closed) > LEAST_FREE * closed.size:
            return closed
    return canvas.barred
