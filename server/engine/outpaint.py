"""A picture continued beyond its borders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from atelier.server.engine.colour_cells import foreign_to
from atelier.server.engine.detail import enlarged_fill
from atelier.server.engine.fill import DETAIL_BELOW, PATCH_RADIUS_PX, fill, grown, shrunk
from atelier.server.engine.pixels import Mask, Pixels, marked_area, resized

WORK_PX: Final = 560
RING_SHARE: Final = 0.22
LEAST_RING_PX: Final = 8
NEAR_SHARE: Final = 0.5
"""What continues a picture upwards or downwards comes from that much of it on the same side."""
FOREIGN_SHARE: Final = 0.2
LEFT, TOP, RIGHT, BOTTOM = range(4)
SIDES: Final = ((LEFT, 1), (RIGHT, -1), (TOP, 2), (BOTTOM, 0))
"""Each side with the quarter turns that bring it to the foot."""


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
    small = _continued(picture, barred, margins, scale=scale)
    out = (
        _enlarged(picture, small, margins)
        if scale < DETAIL_BELOW
        else cv2.resize(small, full, interpolation=cv2.INTER_LANCZOS4)
    )
    out[top : top + height, left : left + width] = picture
    return out


def _enlarged(picture: Pixels, small: Pixels, margins: tuple[int, int, int, int]) -> Pixels:
    """The small continued picture at full size, with the source's fine detail carried into the margins."""
    left, top, right, bottom = margins
    canvas = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_REFLECT)
    hole = np.full(canvas.shape[:2], 255, np.uint8)
    hole[top : top + picture.shape[0], left : left + picture.shape[1]] = 0
    return enlarged_fill(canvas, hole, small, shrunk(hole, small.shape[1::-1]))


def _continued(picture: Pixels, barred: Mask, margins: tuple[int, int, int, int], *, scale: float) -> Pixels:
    """The picture with its margins at working size."""
    height, width = picture.shape[:2]
    size = max(LEAST_RING_PX, round(width * scale)), max(LEAST_RING_PX, round(height * scale))
    canvas = Canvas(
        picture if scale == 1.0 else resized(picture, *size), cv2.resize(barred, size, interpolation=cv2.INTER_NEAREST)
    )
    missing = [round(side * scale) for side in margins]
    while max(missing) > 0:
        for side, quarters in SIDES:
            height, width = canvas.picture.shape[:2]
            most = max(LEAST_RING_PX, int(RING_SHARE * (width if side in (LEFT, RIGHT) else height)))
            step = min(missing[side], most)
            if step:
                canvas = _with_foot(canvas.turned(quarters), step, upright=side).turned(-quarters)
                missing[side] -= step
    return canvas.picture


def _with_foot(canvas: Canvas, step: int, upright: int) -> Canvas:
    """The canvas continued by so many rows below, in the colours found along its lowest rows."""
    height, width = canvas.picture.shape[:2]
    lab = cv2.cvtColor(canvas.picture, cv2.COLOR_RGB2LAB)
    rim = np.zeros((height, width), np.uint8)
    rim[-max(LEAST_RING_PX, step // 2) :] = 255
    foreign = foreign_to(lab, cv2.subtract(rim, canvas.barred), share=FOREIGN_SHARE)
    closed = cv2.bitwise_or(canvas.barred, grown(foreign, PATCH_RADIUS_PX + 1))
    if upright in (TOP, BOTTOM):
        closed[: int(height * (1 - NEAR_SHARE))] = 255
    base = cv2.copyMakeBorder(canvas.picture, 0, step, 0, 0, cv2.BORDER_REFLECT_101)
    hole = np.zeros(base.shape[:2], np.uint8)
    hole[height:] = 255
    below = (0, step, 0, 0)
    filled = fill(base, hole, barred=cv2.copyMakeBorder(closed, *below, cv2.BORDER_CONSTANT, value=0))
    return Canvas(filled, cv2.copyMakeBorder(canvas.barred, *below, cv2.BORDER_CONSTANT, value=0))
