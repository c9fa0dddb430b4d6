"""Control maps made of lines, white on black: Canny, line art, soft edges, scribble, straight lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import luminance, resized
from atelier_mcp.server.engine.style.marks import dabs, unit

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane

CANNY_SIDE: Final = 768
"""Edges are looked for at no more than this size: enlarged photographs have soft edges."""
SCRIBBLE_SIDE: Final = 480


def canny(picture: Pixels, low: int, high: int) -> Pixels:
    """Canny's edges between the two thresholds; lower ones give more lines."""
    small = _at_most(picture, CANNY_SIDE)
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (0, 0), 0.9)
    return _as_map(_redrawn(cv2.Canny(grey, low, high), picture))


def inverted(picture: Pixels) -> Pixels:
    """A dark drawing on light paper as light lines on black."""
    return _as_map(255 - cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def lineart(picture: Pixels) -> Pixels:
    """A clean line drawing with most of the detail."""
    return _line_drawing(cv2.bilateralFilter(picture, 7, 35, 7), sigma=1.2, threshold=0.14, gamma=0.8)


def lineart_coarse(picture: Pixels) -> Pixels:
    """A drawing with a thick point: main forms only."""
    return _line_drawing(cv2.bilateralFilter(picture, 9, 60, 9), sigma=2.8, threshold=0.28, gamma=0.7)


def lineart_realistic(picture: Pixels) -> Pixels:
    """Fine, shaded lines, close to the photograph."""
    return _line_drawing(picture, sigma=0.9, threshold=0.06, gamma=0.9)


def lineart_anime(picture: Pixels) -> Pixels:
    """Even, hard lines around flat shapes, as in animation cels."""
    return _line_drawing(dabs(picture, max(1, round(2 * unit(picture)))), sigma=1.5, threshold=0.20, gamma=0.45)


def lineart_anime_denoise(picture: Pixels) -> Pixels:
    """As :func:`lineart_anime`, from a picture cleaned of grain and texture first."""
    clean = cv2.bilateralFilter(picture, 9, 70, 7)
    return _line_drawing(dabs(clean, max(2, round(4 * unit(picture)))), sigma=1.7, threshold=0.24, gamma=0.45)


def soft_edges(picture: Pixels) -> Pixels:
    """The strength of edges in all three Lab planes, gathered over three scales."""
    return _as_map(_soft_edge_plane(picture))


def scribble(picture: Pixels) -> Pixels:
    """A rough outline with a felt pen: the ridges of the soft edges, short ones left out."""
    small = _at_most(picture, SCRIBBLE_SIDE)
    edges = _soft_edge_plane(small)
    bold = cv2.GaussianBlur(edges, (0, 0), max(0.8, 1.6 * unit(small))) > 70
    thin = cv2.ximgproc.thinning(bold.astype(np.uint8) * 255)
    long = _without_short_lines(thin, least=round(0.045 * max(small.shape[:2])))
    pen = cv2.dilate(long, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    return _as_map(_redrawn(pen, picture))


def straight_lines(picture: Pixels) -> Pixels:
    """Straight segments of at least a thirtieth of the picture's side, for buildings and rooms."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    segments = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    drawn = np.zeros(grey.shape[:2], np.uint8)
    if segments is None:  # pyright: ignore[reportUnnecessaryComparison] - OpenCV gives None where there are no segments
        return _as_map(drawn)
    found = np.asarray(segments, np.float32).reshape(-1, 4)
    lengths = np.hypot(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
    thickness = max(1, round(2 * unit(picture)))
    for x0, y0, x1, y1 in found[lengths > 0.033 * max(grey.shape[:2])].round().astype(int).tolist():
        cv2.line(drawn, (x0, y0), (x1, y1), 255, thickness, cv2.LINE_AA)
    return _as_map(drawn)


def _line_drawing(picture: Pixels, *, sigma: float, threshold: float, gamma: float) -> Pixels:
    """The dark side of every edge as a white line: a difference of two Gaussians, thresholded softly."""
    reach = max(0.7, sigma * unit(picture))
    grey = luminance(picture)
    band = np.maximum(cv2.GaussianBlur(grey, (0, 0), reach * 1.9) - cv2.GaussianBlur(grey, (0, 0), reach), 0)
    strength = band / np.float32(np.percentile(band[::2, ::2], 99) + 1e-4)
    drawn = np.clip((strength - threshold) / (1 - threshold), 0, 1)
    return _as_map((np.power(drawn, np.float32(gamma)) * 255).astype(np.uint8))


def _soft_edge_plane(picture: Pixels) -> Mask:
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab).astype(np.float32)
    total = np.zeros(picture.shape[:2], np.float32)
    for sigma in (1.0, 2.2, 4.5):
        total += _gradient(cv2.GaussianBlur(lab, (0, 0), max(0.6, sigma * unit(picture)))) * np.float32(sigma**-0.3)
    soft = cv2.GaussianBlur(np.clip(total / 2, 0, 1), (0, 0), max(0.6, unit(picture)))
    return (np.power(soft, np.float32(0.9)) * 255).astype(np.uint8)


def _gradient(lab: Array) -> Plane:
    """The length of the colour gradient, 1 at its 99th percentile."""
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    length = np.sqrt(cv2.transform(across * across + down * down, np.ones((1, 3), np.float32)))
    return length / np.float32(np.percentile(length[::2, ::2], 99.2) + 1e-2)


def _without_short_lines(thin: Mask, *, least: int) -> Mask:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    kept = statistics[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False
    return (kept[labels.astype(np.intp)] * 255).astype(np.uint8)


def _at_most(picture: Pixels, longest: int) -> Pixels:
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return picture if scale == 1.0 else resized(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def _redrawn(drawn: Mask, picture: Pixels) -> Mask:
    """Lines found at a smaller size, redrawn with clean borders at the picture's."""
    height, width = picture.shape[:2]
    if drawn.shape[:2] == (height, width):
        return drawn
    grown = cv2.GaussianBlur(cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 0.9)
    return np.clip((grown.astype(np.float32) - 70) * 3.2, 0, 255).astype(np.uint8)


def _as_map(plane: Mask) -> Pixels:
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)
