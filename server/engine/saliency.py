"""Saliency without a model: what differs from the border in colour, is walled off from it by edges, and is central.

RGB image in, a plane in [0, 1] out. Three cues are combined: contrast with the border's colours, the minimum barrier
distance to the border, and nearness to the middle. Works at 128 pixels. It finds flowers and
cups on plain grounds; it fails where the subject fills the frame (a cat's face) or the sky is brighter than a rocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane, resize

if TYPE_CHECKING:
    from collections.abc import Iterable

WORK_PX: Final = 128
SWEEPS: Final = 2
"""Rounds of passes down, up, right and left; a path that winds more often than that is found a little too long."""
BORDER_SHARE: Final = 0.05
SURE: Final = 0.8
"""Saliency from which a pixel is subject for sure."""


def compute_saliency(image: Pixels) -> Plane:
    """How much each pixel of the RGB image stands out, in [0, 1]; found at `WORK_PX`, given at the image's size."""
    height, width = image.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    small = resize(image, max(8, round(width * scale)), max(8, round(height * scale)))
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 5, 30, 5), cv2.COLOR_RGB2LAB).astype(np.float32)
    evidence = np.float32(0.5) * (
        _stretch(np.sqrt(compute_barrier_distance(lab))) + _stretch(compute_border_contrast(lab))
    )
    found = _stretch(cv2.GaussianBlur(evidence, (0, 0), 1.0)) * (
        np.float32(0.35) + np.float32(0.65) * _compute_centre_weight(lab)
    )
    return cv2.resize(_stretch(found), (width, height), interpolation=cv2.INTER_LINEAR)


def label_subject(stands_out: Plane) -> Mask:
    """Labels for `cv2.grabCut`: Otsu's threshold parts subject from ground, the extremes are sure."""
    level = cv2.threshold((stands_out * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    labels = np.full(stands_out.shape, cv2.GC_PR_BGD, np.uint8)
    labels[stands_out > level] = cv2.GC_PR_FGD
    labels[stands_out > max(SURE, level)] = cv2.GC_FGD
    labels[stands_out < 0.35 * level] = cv2.GC_BGD
    return labels


def compute_border_contrast(lab: Array) -> Plane:
    """Colour distance from the image's border, side by side, without the side that differs most.

    A subject cut off by one side of the image makes that side useless as a sample of the background.
    """
    band = max(2, round(BORDER_SHARE * min(lab.shape[:2])))
    sides = (lab[:band], lab[-band:], lab[:, :band], lab[:, -band:])
    maps = [_compute_distance(lab, side.reshape(-1, 3)) for side in sides]
    return np.sum(maps, axis=0) - np.max(maps, axis=0)


def compute_barrier_distance(lab: Array) -> Plane:
    """The least range of colours crossed on a path to the border: small for what runs out of the image.

    The minimum barrier distance (Strand and others, 2013), by sweeps along rows and columns as in Zhang and others
    (2015), each row of pixels at once.
    """
    distance = np.full(lab.shape[:2], np.inf, np.float32)
    distance[[0, -1]] = 0
    distance[:, [0, -1]] = 0
    state = (distance, lab.copy(), lab.copy())
    # Views, not copies: sweeping the transposed planes writes into the same three arrays.
    turned = (distance.T, state[1].transpose(1, 0, 2), state[2].transpose(1, 0, 2))
    for _ in range(SWEEPS):
        for planes, colours in ((state, lab), (turned, lab.transpose(1, 0, 2))):
            count = colours.shape[0]
            _sweep(planes, colours, zip(range(count - 1), range(1, count), strict=True))
            _sweep(planes, colours, zip(range(count - 1, 0, -1), range(count - 2, -1, -1), strict=True))
    return distance


def _sweep(planes: tuple[Plane, Array, Array], colours: Array, steps: Iterable[tuple[int, int]]) -> None:
    """Extend the paths that end in one row to the next where that is shorter; changes the planes in place."""
    distance, highest, lowest = planes
    for source_row, row in steps:
        high = np.maximum(highest[source_row], colours[row])
        low = np.minimum(lowest[source_row], colours[row])
        crossed = (high - low).sum(axis=1)
        shorter = crossed < distance[row]
        distance[row][shorter] = crossed[shorter]
        highest[row][shorter] = high[shorter]
        lowest[row][shorter] = low[shorter]


def _compute_distance(lab: Array, sample: Array) -> Plane:
    """Mahalanobis distance of every pixel from a sample of colours, at most 1."""
    # A border of one colour has a singular covariance; a deviation of five byte steps is added to every channel.
    spread = np.cov(sample, rowvar=False) + np.eye(3) * 25
    offset = (lab - sample.mean(axis=0)).reshape(-1, 3)
    distance = np.sqrt(np.einsum("pi,ij,pj->p", offset, np.linalg.inv(spread), offset))
    plane = distance.reshape(lab.shape[:2]).astype(np.float32)
    return plane / max(float(np.percentile(plane, 98)), 1.0)


def _compute_centre_weight(lab: Array) -> Plane:
    """1 a little below the middle of the image, falling off towards its corners."""
    height, width = lab.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = (columns / width - 0.5) / 0.38, (rows / height - 0.52) / 0.42
    return np.exp(-(across**2 + down**2))


def _stretch(plane: Plane) -> Plane:
    """The plane from its darkest to its brightest two per cent, spread over [0, 1]; all 0 if it is flat."""
    low, high = np.percentile(plane, (2, 98))
    if high - low < 1e-3:
        return np.zeros_like(plane)
    return np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
