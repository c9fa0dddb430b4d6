"""Drawn styles: graphite and coloured pencil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import apply_at_working_size, to_bytes, to_float
from atelier_mcp.server.engine.style.marks import (
    compute_unit,
    draw_hatching,
    draw_lines,
    make_paper_grain,
    paint_dabs,
    saturate,
    smooth,
)

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels, Plane

SKETCH_PAPER: Final = np.array([0.97, 0.955, 0.93], np.float32)
"""RGB of the bare paper."""


class HatchLayer(NamedTuple):
    """One layer of hatching: its direction in radians, the lightness below which it is laid, and its strength."""

    angle: float
    below: float
    strength: float


GRAPHITE: Final = (HatchLayer(0.85, 0.62, 0.34), HatchLayer(0.70, 0.40, 0.32), HatchLayer(1.25, 0.22, 0.30))


def apply_pencil(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Graphite on cartridge paper: contours, crossed hatching in the shadows, smudged half-tones."""
    height, width = image.shape[:2]
    scale = compute_unit(image)
    grey = cv2.createCLAHE(1.5, (4, 4)).apply(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    light = grey.astype(np.float32) / np.float32(255)
    tone = np.ones((height, width), np.float32)
    for layer in GRAPHITE:
        strokes = draw_hatching(rng, height, width, angle=layer.angle, length=21 * scale)
        tone -= np.float32(layer.strength) * np.clip((layer.below - light) / np.float32(0.25), 0, 1) * strokes
    # Colour dodge of the image by its own blur: the usual way to a pencil's smudged half-tones.
    dodged = np.clip(light / (smooth(light, 10.7 * scale) + np.float32(0.004)), 0, 1)
    lines = draw_lines(image, max(0.8, 1.07 * scale), threshold=0.2)
    drawing = np.clip(tone, 0, 1) * (np.float32(0.45) + np.float32(0.55) * dodged)
    drawing = drawing * (np.float32(0.35) + np.float32(0.65) * lines)
    paper = make_paper_grain(rng, height, width, depth=0.05, cell=4 * max(1.0, scale)) * SKETCH_PAPER
    return to_bytes((np.float32(0.05) + np.float32(0.95) * drawing)[..., None] * paper)


def apply_colour_pencil(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Coloured pencil: bright strokes in two directions, denser where the picture is darker, on white paper."""
    height, width = image.shape[:2]
    scale = compute_unit(image)
    calm = apply_at_working_size(image, 900, lambda small: paint_dabs(small, max(2, round(3 * compute_unit(small)))))
    colours = np.power(to_float(saturate(calm, 1.5)), np.float32(0.82))
    shade = _compute_pencil_cover(colours, rng)
    lines = draw_lines(image, max(0.8, 1.1 * scale), threshold=0.22)[..., None]
    pigment = colours * (np.float32(0.30) + np.float32(0.70) * lines)
    cover = np.maximum(shade[..., None], np.float32(0.85) * (1 - lines))
    paper = make_paper_grain(rng, height, width, depth=0.09, cell=4 * max(1.0, scale)) * SKETCH_PAPER
    return to_bytes((pigment * cover + (1 - cover)) * paper)


def _compute_pencil_cover(colours: Pixels, rng: np.random.Generator) -> Plane:
    """How much of the paper the pigment covers, in [0, 1]: never all of it."""
    height, width = colours.shape[:2]
    scale = compute_unit(colours)
    dark = 1 - colours.min(axis=2)
    first = draw_hatching(rng, height, width, angle=0.80, length=26 * scale)
    second = draw_hatching(rng, height, width, angle=0.45, length=18 * scale)
    need = np.clip(np.float32(0.16) + np.float32(0.82) * dark, 0, 1)
    return np.clip(need + (first + second - 1) * np.float32(0.32), np.float32(0.03), np.float32(0.95))
