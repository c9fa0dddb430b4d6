"""Cut out the subject of an image without a mark: people where faces are known, else what is salient.

Labels for GrabCut come from `saliency`, or from head and shoulders drawn below each face; the rest is as in `cutout`.
Flowers and cups come out well and portraits mostly; an animal that fills the frame, or a thing before a bright sky,
does not. The confidence says which it was, and is never full without a face, as nobody said what was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.cutout import Cut, finish_cut
from atelier_mcp.server.engine.grabcut import HardCut, compute_hard_cut, shrink_to_work_size
from atelier_mcp.server.engine.saliency import compute_saliency, label_subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.pixels import Mask, Pixels, Plane

FaceBox = tuple[int, int, int, int]
UNMARKED_TRUST: Final = 0.9
"""Trust in a cut nobody pointed at, at best: a clean edge does not prove that the subject was meant."""


def segment(image: Pixels, *, faces: Sequence[FaceBox] = ()) -> Cut:
    """The subject of the RGB image: what stands out, or the people whose faces (x, y, width, height) are given.

    Faces are in pixels of the image, as `faces.detect_faces` finds them.
    """
    small = shrink_to_work_size(image)
    scale = small.shape[1] / image.shape[1]
    stands_out = compute_saliency(small)
    labels = label_subject(stands_out)
    trust = 1.0
    if faces:
        _label_people(labels, [_scale_face(face, scale) for face in faces])
        # Pieces without a face in them are dropped, however large: a lamp beside a person is not a person.
        seeds = ((labels == cv2.GC_FGD) * 255).astype(np.uint8)
        hard = compute_hard_cut(small, labels, seeds=seeds)
    else:
        hard = compute_hard_cut(small, labels)
        trust = _measure_clarity(stands_out, hard)
    return finish_cut(image, hard, trust=trust)


def cut_to_rgba(cut: Cut) -> Pixels:
    """The cut as one RGBA image with straight alpha."""
    return np.dstack([cut.foreground, cut.alpha])


def _scale_face(face: FaceBox, scale: float) -> FaceBox:
    """The face box at working size."""
    x, y, width, height = (round(side * scale) for side in face)
    return x, y, max(1, width), max(1, height)


def _label_people(labels: Mask, faces: Sequence[FaceBox]) -> None:
    """Replace labels by head and shoulders at each face: face and middle of the chest for sure, hair, arms probably."""
    reach, likely, certain = (np.zeros_like(labels) for _ in range(3))
    for face in faces:
        _draw_person(reach, face, head=(1.2, 1.45), neck=0.9, shoulders=2.5)
        _draw_person(likely, face, head=(0.72, 0.92), neck=0.4, shoulders=1.5)
        _draw_person(certain, face, head=(0.38, 0.5), neck=0.2, shoulders=0.3)
    labels[labels != cv2.GC_BGD] = cv2.GC_PR_BGD
    labels[reach == 0] = cv2.GC_BGD
    labels[likely > 0] = cv2.GC_PR_FGD
    labels[certain > 0] = cv2.GC_FGD


def _draw_person(plane: Mask, face: FaceBox, *, head: tuple[float, float], neck: float, shoulders: float) -> None:
    """Mark a head and a trunk down to the image's end, half widths and heights as shares of the face."""
    x, y, width, height = face
    middle, chin, foot = x + width // 2, y + height, plane.shape[0]
    axes = round(head[0] * width), round(head[1] * height)
    cv2.ellipse(plane, (middle, y + height // 2), axes, 0, 0, 360, 255, cv2.FILLED)
    outline = [(neck, chin), (shoulders, chin + round(0.75 * height)), (1.15 * shoulders, foot)]
    right = [(middle + round(half * width), level) for half, level in outline]
    left = [(middle - round(half * width), level) for half, level in reversed(outline)]
    cv2.fillPoly(plane, [np.array(right + left, np.int32)], 255)


def _measure_clarity(stands_out: Plane, hard: HardCut) -> float:
    """Trust in a cut nobody pointed at: it is more salient than the rest, and compact (area over convex hull)."""
    inside = hard.mask > 0
    if not inside.any() or inside.all():
        return 0.0
    gap = float(stands_out[inside].mean() - stands_out[~inside].mean())
    contours, _ = cv2.findContours(hard.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(contours)))
    solidity = np.count_nonzero(inside) / max(1.0, hull)
    return float(UNMARKED_TRUST * np.clip(gap / 0.45, 0, 1) * np.clip((solidity - 0.35) / 0.45, 0, 1))
