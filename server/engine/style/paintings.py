"""Brush styles: oil, watercolour and ink wash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import (
    apply_at_working_size,
    compute_luminance,
    make_cloud_noise,
    to_bytes,
    to_float,
)
from atelier_mcp.server.engine.style.marks import (
    compute_edge_flow,
    compute_unit,
    draw_lines,
    make_paper_grain,
    make_pixel_grid,
    paint_dabs,
    saturate,
    smear,
    smooth,
)

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Colours, Pixels, Plane

WATERCOLOUR_PAPER: Final = np.array([0.985, 0.975, 0.955], np.float32)
RICE_PAPER: Final = np.array([0.965, 0.945, 0.90], np.float32)
WASH_STEPS: Final = (0.20, 0.40, 0.63)
"""Lightness at which the ink wash steps from one dilution to the next."""


def apply_oil(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Oil on canvas: two layers of dabs smeared along the edges, with a relief of bristles.

    The relief is noise smeared along the same directions and lit, applied at full size: at working size it would blur.
    """
    dabbed = saturate(apply_at_working_size(image, 1200, _paint_thick_dabs), 1.22)
    scale = compute_unit(image)
    height, width = image.shape[:2]
    flow = compute_edge_flow(dabbed, calm=10 * scale)
    # Bristles are a pixel or so wide, at any size.
    noise = cv2.GaussianBlur(rng.random((height, width), dtype=np.float32), (0, 0), max(0.8, scale))
    bristles = smear(noise, flow, steps=7, stride=max(1.0, 1.35 * scale))
    relief = cv2.Sobel(bristles, cv2.CV_32F, 1, 0) + cv2.Sobel(bristles, cv2.CV_32F, 0, 1)
    relief = np.clip(relief / np.float32(2.5 * float(cv2.meanStdDev(relief)[1][0, 0]) + 1e-6), -1, 1)
    return to_bytes(to_float(dabbed) * (1 + np.float32(0.10) * relief)[..., None])


def _paint_thick_dabs(image: Pixels) -> Pixels:
    scale = compute_unit(image)
    dabbed = paint_dabs(paint_dabs(image, max(2, round(4 * scale))), max(2, round(3 * scale)))
    flow = compute_edge_flow(dabbed, calm=8 * scale)
    return np.clip(smear(dabbed, flow, steps=3, stride=max(0.7, 1.1 * scale)), 0, 255).astype(np.uint8)


def apply_watercolour(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Watercolour: washes with darkened edges over a light sketch, with a ragged margin of bare paper.

    Pigment density follows Bousseau and others (2006): colours are darkened by c - (c - c^2) * pigment.
    """
    height, width = image.shape[:2]
    scale = compute_unit(image)
    washes = _waver_edges(apply_at_working_size(image, 900, _paint_wet_dabs), rng)
    colours = np.float32(0.10) + np.float32(0.90) * np.power(to_float(saturate(washes, 1.25)), np.float32(0.78))
    # Pigment settles in large clouds, and gathers at the rims of washes.
    turbulence = make_cloud_noise(rng, height, width, 320 * scale, octaves=6) - np.float32(0.5)
    pigment = turbulence * np.float32(0.9) + _compute_pooling(washes) * np.float32(0.85)
    colours = colours - (colours - colours * colours) * pigment[..., None]
    paper = make_paper_grain(rng, height, width, depth=0.07, cell=5 * max(1.0, scale)) * WATERCOLOUR_PAPER
    coverage = _make_ragged_area(rng, height, width)[..., None]
    sketch = np.float32(0.45) + np.float32(0.55) * draw_lines(image, max(0.8, 1.1 * scale), threshold=0.25)
    return to_bytes((colours * sketch[..., None] * coverage + (1 - coverage)) * paper)


def _paint_wet_dabs(image: Pixels) -> Pixels:
    scale = compute_unit(image)
    # Grain would turn into spots of paint.
    kept = cv2.bilateralFilter(image, 7, 45, 5 * scale)
    return paint_dabs(paint_dabs(kept, max(2, round(4 * scale))), max(2, round(4 * scale)))


def _waver_edges(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The image warped a little by noise, so that edges waver as they do in water."""
    height, width = image.shape[:2]
    scale = compute_unit(image)
    column, row = make_pixel_grid(height, width)
    reach, cell = np.float32(11 * scale), 34 * scale
    x = column + (make_cloud_noise(rng, height, width, cell, octaves=4) - np.float32(0.5)) * reach
    y = row + (make_cloud_noise(rng, height, width, cell, octaves=4) - np.float32(0.5)) * reach
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _compute_pooling(washes: Pixels) -> Plane:
    """Where pigment gathers at the border of a wash, in [0, 1]."""
    scale = compute_unit(washes)
    grey = cv2.GaussianBlur(compute_luminance(washes), (0, 0), max(0.7, 1.9 * scale))
    rim = cv2.GaussianBlur(np.abs(cv2.Laplacian(grey, cv2.CV_32F)), (0, 0), max(0.7, 1.3 * scale))
    return np.clip(rim / np.float32(np.percentile(rim[::2, ::2], 99) + 1e-6), 0, 1)


def _make_ragged_area(rng: np.random.Generator, height: int, width: int) -> Plane:
    """1 where the brush reached, 0 on the margin it left."""
    column, row = make_pixel_grid(height, width)
    side = np.float32(np.sqrt(height * width))
    margin = np.minimum(np.minimum(column, width - 1 - column), np.minimum(row, height - 1 - row)) / side
    ragged = make_cloud_noise(rng, height, width, float(side) / 9, octaves=5) - np.float32(0.35)
    return np.clip((margin - np.float32(0.010) - np.float32(0.045) * ragged) / np.float32(0.010), 0, 1)


def apply_ink(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Ink wash: four dilutions of black that bleed a little, with brush lines on rice paper."""
    height, width = image.shape[:2]
    scale = compute_unit(image)
    grey = compute_luminance(
        apply_at_working_size(image, 900, lambda small: paint_dabs(small, max(3, round(8 * compute_unit(small)))))
    )
    bleed = (make_cloud_noise(rng, height, width, 190 * scale, octaves=5) - np.float32(0.5)) * np.float32(0.16)
    wash = np.zeros_like(grey)
    for step in WASH_STEPS:
        # A logistic step for each dilution: soft borders, as ink on damp paper has.
        wash += 1 / (1 + np.exp((step - grey - bleed) * np.float32(22)))
    tone = np.float32(0.10) + np.float32(0.90) * np.power(wash / np.float32(len(WASH_STEPS)), np.float32(0.85))
    # Ink gathers where a wash ends: just inside of a dark border.
    pools = smooth(tone, 3 * scale) - tone
    lines = draw_lines(cv2.bilateralFilter(image, 7, 40, 7), max(1.2, 1.85 * scale), threshold=0.3)
    strokes = (tone - np.maximum(pools, 0) * np.float32(0.5)) * (np.float32(0.22) + np.float32(0.78) * lines)
    paper = make_paper_grain(rng, height, width, depth=0.06, cell=7 * max(1.0, scale)) * RICE_PAPER
    return to_bytes(_lay_on_paper(strokes, paper))


def _lay_on_paper(strokes: Plane, paper: Colours) -> Colours:
    return np.clip(strokes, 0, 1)[..., None] * paper
