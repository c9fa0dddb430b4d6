"""Cut a long hole into pieces that are about as long as it is wide.

A spoon lies partly on a saucer and partly on a table. Filled as one hole, either part may get what is around the other:
patches are chosen by how well they join, and not by how near they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Mask

LEAST_LENGTH: Final = 4.5
"""In times of its mean width: what is shorter is one place, with one ground around it."""
MOST_PIECES: Final = 4
WORK_PX: Final = 240
"""The longest side at which a hole is cut: where exactly is of no matter."""
STOP: Final = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 1.0)


def split_hole(hole: Mask) -> list[Mask]:
    """The pieces (255) of a hole, from the top down; the hole itself where it is not long.

    They are about as long as it is wide at its widest.
    """
    scale = min(1.0, WORK_PX / max(hole.shape))
    size = max(1, round(hole.shape[1] * scale)), max(1, round(hole.shape[0] * scale))
    small = cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0
    rows, columns = np.nonzero(small)
    length_px = float(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1))
    widest_px = 2 * float(cv2.distanceTransform(small.astype(np.uint8), cv2.DIST_L2, 5).max())
    count = min(MOST_PIECES, round(length_px / widest_px))
    if count < 2 or length_px**2 < LEAST_LENGTH * len(rows):
        return [hole]
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    # The same pieces for the same hole, in every process.
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(points, count, np.zeros((len(points), 1), np.int32), STOP, 2, cv2.KMEANS_PP_CENTERS)
    numbers = np.zeros(small.shape, np.uint8)
    numbers[rows, columns] = labels[:, 0] + 1
    numbers = cv2.resize(numbers, (hole.shape[1], hole.shape[0]), interpolation=cv2.INTER_NEAREST)
    pieces = [
        np.where((numbers == index + 1) & (hole > 0), 255, 0).astype(np.uint8) for index in np.argsort(centres[:, 1])
    ]
    # By rounding, a pixel of the hole may lie beyond the small one's edge.
    rest = cv2.subtract(hole, np.maximum.reduce(pieces))
    return [cv2.bitwise_or(pieces[0], rest), *(piece for piece in pieces[1:] if piece.any())]
