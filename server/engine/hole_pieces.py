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
MOST_PIECES: Final = 12
STOP: Final = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 1.0)


def split_hole(hole: Mask) -> list[Mask]:
    """The pieces (255) of a hole, from the top down; the hole itself where it is not long.

    They are about as long as it is wide at its widest.
    """
    rows, columns = np.nonzero(hole)
    length_px = float(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1))
    widest_px = 2 * float(cv2.distanceTransform(hole, cv2.DIST_L2, 5).max())
    count = min(MOST_PIECES, round(length_px / widest_px))
    if count < 2 or length_px**2 < LEAST_LENGTH * len(rows):
        return [hole]
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    # The same pieces for the same hole, in every process.
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(points, count, np.zeros((len(points), 1), np.int32), STOP, 2, cv2.KMEANS_PP_CENTERS)
    pieces: list[Mask] = []
    for index in np.argsort(centres[:, 1]):
        piece = np.zeros_like(hole)
        chosen = labels[:, 0] == index
        piece[rows[chosen], columns[chosen]] = 255
        pieces.append(piece)
    return pieces
