"""Read the joints of figures off an OpenPose drawing, whoever drew it.

OpenPose draws each of its 18 joints as a dot in a hue of its own, a step of 20 degrees further from joint to joint, on
sticks of three fifths of that brightness. So a joint is found by its colour, and a figure is what hangs together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

from atelier_mcp.server.engine.control.figures import JOINTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels

Pose: TypeAlias = "Mapping[str, tuple[float, float]]"
"""Joints by name, as (x, y) in pixels."""

DRAWN_FROM: Final = 60
"""Brightness above which a pixel is part of the drawing."""
DOT_FROM: Final = 200
"""Brightness of a joint; sticks are below."""
LEAST_SATURATION: Final = 140
"""The points of a face are white, those of joints are not."""
HUE_STEP: Final = 10
"""In OpenCV's hues, of which 180 make a circle."""
LEAST_STICKS: Final = 0.15
"""Share of the drawing that is sticks: a line in all colours at full brightness is no skeleton."""


def read_poses(drawing: Pixels) -> Sequence[Pose]:
    """The joints of each figure by name, as (x, y) in pixels; those that are not drawn are missing.

    A drawing in which no joints are recognised is taken for one figure that stands where the drawing is.
    """
    drawn = (drawing.max(axis=2) > DRAWN_FROM).astype(np.uint8)
    if not drawn.any():
        return []
    hsv = cv2.cvtColor(drawing, cv2.COLOR_RGB2HSV)
    dots = (hsv[..., 2] >= DOT_FROM) & (hsv[..., 1] >= LEAST_SATURATION) & (drawn > 0)
    is_skeleton = float(np.count_nonzero(dots)) < (1 - LEAST_STICKS) * np.count_nonzero(drawn)
    found = _read_figures(drawn, hsv[..., 0], dots.astype(np.bool)) if is_skeleton else []
    return found or [_stand_in_box(drawn)]


def _read_figures(drawn: Mask, hues: Array, dots: NDArray[np.bool]) -> list[Pose]:
    around = np.ones((5, 5), np.uint8)
    count, figures = cv2.connectedComponents(cv2.dilate(drawn, around))
    poses = [_read_joints(hues, dots & (figures == figure)) for figure in range(1, count)]
    return [pose for pose in poses if "neck" in pose and len(pose) > 3]


def _read_joints(hues: Array, dots: NDArray[np.bool]) -> Pose:
    pose: dict[str, tuple[float, float]] = {}
    for number, name in enumerate(JOINTS):
        distance = np.abs(hues.astype(np.int16) - number * HUE_STEP)
        spot = dots & (np.minimum(distance, 180 - distance) <= 3)
        _, _, statistics, centres = cv2.connectedComponentsWithStats(spot.astype(np.uint8))
        if len(statistics) > 1:
            largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
            pose[name] = (float(centres[largest][0]), float(centres[largest][1]))
    return pose


def _stand_in_box(drawn: Mask) -> Pose:
    """An ordinary standing figure as tall as the drawing."""
    left, top, width, height = cv2.boundingRect(drawn)
    across, down = zip(*JOINTS.values(), strict=True)
    # A head's top lies above its highest joint.
    scale = height / (max(down) - min(down) + 0.6)
    middle, start = left + width / 2, top - (min(down) - 0.6) * scale
    return {name: (middle + x * scale, start + y * scale) for name, x, y in zip(JOINTS, across, down, strict=True)}
