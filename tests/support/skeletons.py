"""OpenPose drawings made from joints."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.pixels import Pixels


def draw_skeleton(
    joints: Mapping[str, tuple[float, float]],
    limbs: Sequence[tuple[str, str]],
    *,
    face_px: int,
    at: tuple[int, int],
    size: tuple[int, int],
) -> Pixels:
    """Sticks at three fifths of the brightness, joints at full, each in its hue, on black.

    Joints are in face widths from the face's middle, which lies at ``at``.
    """
    drawing = np.zeros((*size, 3), np.uint8)
    spots = {name: (round(at[0] + x * face_px), round(at[1] + y * face_px)) for name, (x, y) in joints.items()}
    for number, (start, end) in enumerate(limbs):
        cv2.line(drawing, spots[start], spots[end], _compute_hue(number, 0.6), max(3, face_px // 8))
    for number, spot in enumerate(spots.values()):
        cv2.circle(drawing, spot, max(3, face_px // 9), _compute_hue(number, 1.0), -1)
    return drawing


def _compute_hue(number: int, brightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number / 18, 1, brightness)
    return round(255 * red), round(255 * green), round(255 * blue)
