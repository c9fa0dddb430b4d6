"""Control maps made of lines, white on black: Canny, line art, soft edges, scribble, straight lines.

RGB in, RGB of the same size out. Every radius grows with the image (`style.marks.compute_unit`), so that an image and
its enlargement give the same drawing. Line art is a difference of Gaussians of which only the dark side is kept: plain
thresholds and XDoG fill dark areas with black.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import compute_luminance, resize
from atelier_mcp.server.engine.style.marks import compute_unit, paint_dabs

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane

CANNY_SIDE: Final = 768
"""Edges are looked for at no more than this size: enlarged photographs have soft edges, which Canny's fixed window
misses."""
SCRIBBLE_SIDE: Final = 480
"""Smaller still: a scribble has no detail."""


def draw_canny(image: Pixels, low: int, high: int) -> Pixels:
    """Canny's edges; the two thresholds of the hysteresis are in [1, 255], and lower ones give more lines."""
    small = _shrink_to(image, CANNY_SIDE)
    # Grain gives edges of a pixel, which nobody means.
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (0, 0), 0.9)
    return _to_map(_redraw(cv2.Canny(grey, low, high), image))


def invert(image: Pixels) -> Pixels:
    """A dark drawing on light paper as light lines on black."""
    return _to_map(255 - cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def draw_lineart(image: Pixels) -> Pixels:
    """A clean line drawing with most of the detail."""
    return _draw_lines(cv2.bilateralFilter(image, 7, 35, 7), sigma=1.2, threshold=0.14, gamma=0.8)


def draw_lineart_coarse(image: Pixels) -> Pixels:
    """A drawing with a thick point: main forms only."""
    return _draw_lines(cv2.bilateralFilter(image, 9, 60, 9), sigma=2.8, threshold=0.28, gamma=0.7)


def draw_lineart_realistic(image: Pixels) -> Pixels:
    """Fine, shaded lines, close to the photograph."""
    return _draw_lines(image, sigma=0.9, threshold=0.06, gamma=0.9)


def draw_lineart_anime(image: Pixels) -> Pixels:
    """Even, hard lines around flat shapes, as in animation cels."""
    return _draw_lines(paint_dabs(image, max(1, round(2 * compute_unit(image)))), sigma=1.5, threshold=0.20, gamma=0.45)


def draw_lineart_anime_denoise(image: Pixels) -> Pixels:
    """As :func:`draw_lineart_anime`, from a picture cleaned of grain and texture first."""
    clean = cv2.bilateralFilter(image, 9, 70, 7)
    return _draw_lines(paint_dabs(clean, max(2, round(4 * compute_unit(image)))), sigma=1.7, threshold=0.24, gamma=0.45)


def draw_soft_edges(image: Pixels) -> Pixels:
    """The strength of edges in all three Lab planes, gathered over three scales."""
    return _to_map(_compute_soft_edges(image))


def draw_scribble(image: Pixels) -> Pixels:
    """A rough outline with a felt pen: the ridges of the soft edges, short ones left out."""
    small = _shrink_to(image, SCRIBBLE_SIDE)
    edges = _compute_soft_edges(small)
    bold = cv2.GaussianBlur(edges, (0, 0), max(0.8, 1.6 * compute_unit(small))) > 70
    thin = cv2.ximgproc.thinning(bold.astype(np.uint8) * 255)
    long = _remove_short_lines(thin, least=round(0.045 * max(small.shape[:2])))
    # As thick as a felt pen at this size.
    pen = cv2.dilate(long, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    return _to_map(_redraw(pen, image))


def draw_straight_lines(image: Pixels) -> Pixels:
    """Straight segments of at least a thirtieth of the picture's side, for buildings and rooms."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    segments = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    drawing = np.zeros(grey.shape[:2], np.uint8)
    if segments is None:  # pyright: ignore[reportUnnecessaryComparison] - OpenCV gives None where there are no segments
        return _to_map(drawing)
    found = np.asarray(segments, np.float32).reshape(-1, 4)
    lengths = np.hypot(found[:, 2] - found[:, 0], found[:, 3] - found[:, 1])
    # Segments come with their ends only; how thick they were is not known.
    thickness = max(1, round(2 * compute_unit(image)))
    for x0, y0, x1, y1 in found[lengths > 0.033 * max(grey.shape[:2])].round().astype(int).tolist():
        cv2.line(drawing, (x0, y0), (x1, y1), 255, thickness, cv2.LINE_AA)
    return _to_map(drawing)


def _draw_lines(image: Pixels, *, sigma: float, threshold: float, gamma: float) -> Pixels:
    """The dark side of every edge as a white line: a difference of two Gaussians, thresholded softly."""
    reach = max(0.7, sigma * compute_unit(image))
    grey = compute_luminance(image)
    band = np.maximum(cv2.GaussianBlur(grey, (0, 0), reach * 1.9) - cv2.GaussianBlur(grey, (0, 0), reach), 0)
    # By a percentile and not the maximum: one speck would make all lines faint. Every second pixel is sample enough.
    strength = band / np.float32(np.percentile(band[::2, ::2], 99) + 1e-4)
    drawing = np.clip((strength - threshold) / (1 - threshold), 0, 1)
    return _to_map((np.power(drawing, np.float32(gamma)) * 255).astype(np.uint8))


def _compute_soft_edges(image: Pixels) -> Mask:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.float32)
    total = np.zeros(image.shape[:2], np.float32)
    for sigma in (1.0, 2.2, 4.5):
        total += _compute_gradient(cv2.GaussianBlur(lab, (0, 0), max(0.6, sigma * compute_unit(image)))) * np.float32(
            sigma**-0.3
        )
    soft = cv2.GaussianBlur(np.clip(total / 2, 0, 1), (0, 0), max(0.6, compute_unit(image)))
    return (np.power(soft, np.float32(0.9)) * 255).astype(np.uint8)


def _compute_gradient(lab: Array) -> Plane:
    """The length of the colour gradient, 1 at its 99th percentile."""
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    length = np.sqrt(cv2.transform(across * across + down * down, np.ones((1, 3), np.float32)))
    return length / np.float32(np.percentile(length[::2, ::2], 99.2) + 1e-2)


def _remove_short_lines(thin: Mask, *, least: int) -> Mask:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    kept = statistics[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False
    return (kept[labels.astype(np.intp)] * 255).astype(np.uint8)


def _shrink_to(image: Pixels, longest: int) -> Pixels:
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return image if scale == 1.0 else resize(image, max(1, round(width * scale)), max(1, round(height * scale)))


def _redraw(drawing: Mask, image: Pixels) -> Mask:
    """Lines found at a smaller size, redrawn with clean borders at the picture's."""
    height, width = image.shape[:2]
    if drawing.shape[:2] == (height, width):
        return drawing
    grown = cv2.GaussianBlur(cv2.resize(drawing, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 0.9)
    return np.clip((grown.astype(np.float32) - 70) * 3.2, 0, 255).astype(np.uint8)


def _to_map(plane: Mask) -> Pixels:
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)
