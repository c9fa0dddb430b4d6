"""The last touches: bloom, a soft contrast curve, a vignette and a fine grain that keeps gradients from banding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import to_bytes

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.pixels import Colours, Pixels


def finish_canvas(canvas: Canvas, *, monochrome: bool = False) -> Pixels:
    """The canvas as an RGB ``uint8`` image.

    In the order a camera works: light spreads in the lens (bloom), film bends the tones, the lens darkens the corners,
    and grain comes last. Quantised to bytes without the grain, smooth skies show bands.
    """
    image = np.clip(canvas.image, 0, 1)
    if monochrome:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        image = np.repeat(grey[..., None], 3, axis=2)
    image = _add_bloom(image, canvas.unit)
    image = image * image * (3 - 2 * image) * np.float32(0.3) + image * np.float32(0.7)
    image *= _make_vignette(canvas)
    image += _make_grain(canvas)
    return to_bytes(image)


def _add_bloom(image: Colours, unit: float) -> Colours:
    """Bright places shed light on their surroundings."""
    height, width = image.shape[:2]
    # A quarter of the size is enough for what is blurred anyway.
    small = cv2.resize(image, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    bright = cv2.GaussianBlur(np.clip(small - np.float32(0.58), 0, 1), (0, 0), max(1.0, unit / 150))
    return image + (1 - image) * cv2.resize(bright, (width, height)) * np.float32(0.4)


def _make_vignette(canvas: Canvas) -> Colours:
    rows = np.linspace(-1, 1, canvas.height, dtype=np.float32)[:, None] ** 2
    columns = np.linspace(-1, 1, canvas.width, dtype=np.float32)[None, :] ** 2
    # Nothing within 0.7 of the half sides, 22 % in the corners.
    return (1 - np.float32(0.15) * np.clip(rows + columns - 0.5, 0, 2))[..., None]


def _make_grain(canvas: Canvas) -> Colours:
    rng = canvas.make_rng("grain")
    noise = rng.random((canvas.height, canvas.width, 1), dtype=np.float32)
    # Up to 3.3 of 255 either way, more than the one step that makes a band.
    return (noise - np.float32(0.5)) * np.float32(0.026)
