"""A hard (yes or no) cut at working size by GrabCut, cleaned up, with the measures its confidence is made of.

In come an RGB image of at most `WORK_PX` a side and labels of the same size: for each pixel one of OpenCV's ``GC_BGD``
(0, surely background), ``GC_FGD`` (1), ``GC_PR_BGD`` (2, probably background) and ``GC_PR_FGD`` (3). GrabCut models
the colours of both sides as Gaussian mixtures and cuts where neighbours differ. It is only as good as the labels and
fails where subject and background share their colours; `matting` makes the edge soft and brings it to full size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane, resize

WORK_PX: Final = 420
"""The longest side of a cut: its time grows with the area, and the soft edge is found at full size later."""
COARSE_PX: Final = 256
COARSE_ROUNDS: Final = 3
FINE_ROUNDS: Final = 1
"""The many rounds run where pixels are few; at working size only a band along the coarse edge is left to decide."""
BAND_PX: Final = 8
"""Half the width of the band in which the coarse edge is decided anew."""
FLAT: Final = 2.0
"""Standard deviation, in byte steps, below which an image is flat. There is nothing to cut along then, and
OpenCV's max-flow, with every edge equally strong, takes minutes: one such call took 201 seconds."""
LEAST_PIECE: Final = 0.12
"""A piece smaller than this share of the largest is dropped, unless the user's stroke lies on it."""
LARGEST_HOLE: Final = 0.03
"""A hole in the subject smaller than this share of the image is filled."""
EDGE_WINDOW: Final = (9, 9)
LEAST_SPREAD: Final = 60.0
"""Squared Lab distance below which two colours are one, however even both are."""


@dataclass(frozen=True, slots=True)
class HardCut:
    """A cut of 0 and 255 at working size and three signs of its worth, each in [0, 1].

    ``contrast``: colours differ across its edge. ``steadiness``: the last rounds hardly changed it.
    ``compactness``: it is neither a speck nor nearly everything.
    """

    mask: Mask
    contrast: float
    steadiness: float
    compactness: float


def shrink_to_work_size(image: Pixels) -> Pixels:
    """The image at no more than `WORK_PX` a side."""
    height, width = image.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    return image if scale == 1.0 else resize(image, max(8, round(width * scale)), max(8, round(height * scale)))


def compute_hard_cut(small: Pixels, labels: Mask, *, seeds: Mask | None = None) -> HardCut:
    """The subject by `cv2.grabCut` from labels (``GC_*``), each piece of it large or marked by a seed.

    Most rounds run on a coarse copy; the last ones decide, at working size, only about a band along the coarse edge.
    Where the labels leave nothing to decide, or the image is flat, the cut is what the labels say.
    """
    return refine_cut(small, compute_coarse_cut(small, labels, seeds=seeds), labels, seeds=seeds)


def compute_coarse_cut(small: Pixels, labels: Mask, *, seeds: Mask | None = None) -> Mask:
    """The first half of `compute_hard_cut`: the subject roughly, as 0 and 255 at working size."""
    height, width = labels.shape
    scale = min(1.0, COARSE_PX / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    # Labels by nearest neighbour: between two of them there is no third.
    coarse = run_graph_cut(
        resize(small, *size), cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), COARSE_ROUNDS
    )
    return _clean_cut(cv2.resize(select_foreground(coarse), (width, height), interpolation=cv2.INTER_NEAREST), seeds)


def refine_cut(small: Pixels, rough: Mask, labels: Mask, *, seeds: Mask | None = None) -> HardCut:
    """The second half of `compute_hard_cut`: the edge of a rough cut decided anew, and the signs of its worth."""
    final = _clean_cut(select_foreground(run_graph_cut(small, _label_edge_band(rough, labels), FINE_ROUNDS)), seeds)
    return HardCut(
        final,
        contrast=compute_edge_contrast(small, final),
        # Half of it in common is chance, and counts as none.
        steadiness=max(0.0, 2 * _compute_overlap(rough, final) - 1),
        compactness=compute_compactness(final),
    )


def run_graph_cut(small: Pixels, labels: Mask, rounds: int) -> Mask:
    """Labels (``GC_*``) after that many rounds of `cv2.grabCut`.

    They stay as they were where one side has no pixels to learn from, at which OpenCV raises, or all pixels are alike.
    """
    out = labels.copy()
    subject = select_foreground(out)
    if cv2.countNonZero(subject) in (0, subject.size) or float(small.std(axis=(0, 1)).max()) < FLAT:
        return out
    # GrabCut starts with a k-means of random centres, from a generator that all of OpenCV shares.
    cv2.setRNGSeed(1)
    cv2.grabCut(small, out, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), rounds, cv2.GC_INIT_WITH_MASK)
    return out


def compute_edge_contrast(small: Pixels, mask: Mask) -> float:
    """The share of the mask's edge at which the colours of its two sides can be told apart, in [0, 1].

    They can when their local means lie further apart than their local spread explains (Fisher's criterion).
    """
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    inside = (mask > 0).astype(np.float32)
    # One pixel on either side of the edge.
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not edge.any():
        return 0.0
    mean_in, spread_in = _compute_local_colours(lab, inside)
    mean_out, spread_out = _compute_local_colours(lab, 1 - inside)
    apart = ((mean_in - mean_out) ** 2).sum(axis=2) / (spread_in + spread_out + np.float32(LEAST_SPREAD))
    return float((apart[edge] > 1.0).mean())


def compute_compactness(mask: Mask) -> float:
    """1 for a subject of 1.5 to 70 per cent of the image, falling to 0 towards nothing and everything."""
    share = cv2.countNonZero(mask) / mask.size
    # Both ramps at once: the lower of a share that is too small and one that is too large.
    return float(np.clip(min((share - 0.001) / 0.014, (0.97 - share) / 0.27), 0, 1))


def select_foreground(labels: Mask) -> Mask:
    """255 where the labels say subject, surely or probably."""
    return (((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) * 255).astype(np.uint8)


def _compute_local_colours(lab: Array, side: Plane) -> tuple[Array, Plane]:
    """Mean colour and summed variance of one side of an edge, in a window round each pixel."""
    weight = np.maximum(cv2.blur(side, EDGE_WINDOW), np.float32(1e-3))
    mean = cv2.blur(lab * side[..., None], EDGE_WINDOW) / weight[..., None]
    power: Plane = np.square(lab).sum(axis=2) * side
    square: Plane = cv2.blur(power, EDGE_WINDOW) / weight
    # Mean of squares minus square of the mean: rounding can carry it below 0.
    return mean, np.maximum(square - np.square(mean).sum(axis=2), 0)


def _label_edge_band(rough: Mask, labels: Mask) -> Mask:
    """Labels that keep the rough cut, except in a band along its edge; the caller's certain labels hold there too."""
    brush = np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)
    out = np.where(rough > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    # Certain beyond the band, so that the colours are learnt from what is sure.
    out[cv2.erode(rough, brush) > 0] = cv2.GC_FGD
    out[cv2.dilate(rough, brush) == 0] = cv2.GC_BGD
    sure = (labels == cv2.GC_FGD) | (labels == cv2.GC_BGD)
    band = (out == cv2.GC_PR_FGD) | (out == cv2.GC_PR_BGD)
    return np.where(sure & band, labels, out)


def _clean_cut(mask: Mask, seeds: Mask | None) -> Mask:
    """The subject without specks, small holes and single-pixel spurs."""
    whole = _fill_small_holes(_keep_large_pieces(mask, seeds))
    return cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def _keep_large_pieces(mask: Mask, seeds: Mask | None) -> Mask:
    """The pieces that are large against the largest one and, where there are seeds, hold one."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask)
    # The ground and one piece: nothing to drop.
    if count < 3:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.intp)
    areas[0] = 0  # label 0 is the background
    kept = areas >= LEAST_PIECE * areas.max()
    if seeds is not None:
        marked = np.bincount(pieces[(seeds > 0) & (mask > 0)], minlength=count) > 0
        kept = kept & marked if (kept & marked).any() else kept
    return (kept[pieces.astype(np.intp)] * 255).astype(np.uint8)


def _fill_small_holes(mask: Mask) -> Mask:
    """The mask with those holes filled that lie wholly inside it and are small."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(cv2.bitwise_not(mask))
    places = pieces.astype(np.intp)
    filled = stats[:, cv2.CC_STAT_AREA] < LARGEST_HOLE * mask.size
    # What touches the border of the image is background seen past the subject, however small.
    for side in (places[0], places[-1], places[:, 0], places[:, -1]):
        filled[side] = False
    filled[0] = True
    return (filled[places] * 255).astype(np.uint8) if count > 1 else mask


def _compute_overlap(first: Mask, second: Mask) -> float:
    """Intersection over union; 0 if both are empty."""
    union = cv2.countNonZero(cv2.bitwise_or(first, second))
    return cv2.countNonZero(cv2.bitwise_and(first, second)) / union if union else 0.0
