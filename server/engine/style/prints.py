"""Printed and photographic styles: pixel art, poster, comic, duotone and vintage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import compute_luminance, resize, to_bytes, to_float
from atelier_mcp.server.engine.style.marks import (
    compute_unit,
    draw_lines,
    extract_palette,
    find_nearest_colours,
    make_pixel_grid,
    paint_dabs,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Pixels, Plane

PIXEL_CELLS: Final = 120
"""Big pixels along the longer side."""
PIXEL_COLOURS: Final = 24
# The 4 x 4 Bayer matrix of ordered dithering, around zero.
BAYER: Final = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 0.5
DUOTONE: Final = np.array([[44, 22, 84], [236, 84, 112], [255, 226, 190]], np.float32) / np.float32(255)
"""Shadow, half-tone and light: aubergine, coral, cream."""


def apply_pixel(image: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001 - every style takes the generator
    """Pixel art: square cells, 24 colours, ordered dithering."""
    height, width = image.shape[:2]
    cell = max(2, round(max(height, width) / PIXEL_CELLS))
    small = resize(image, -(-width // cell), -(-height // cell))
    # Sharpened, as averaging into cells takes the contrast that pixel art lives by.
    small = cv2.addWeighted(small, 1.5, cv2.GaussianBlur(small, (0, 0), 1.2), -0.5, 0)
    colours = extract_palette(small, PIXEL_COLOURS)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.float32)
    rows, columns = small.shape[:2]
    # In the lightness alone: dithered colours would flicker.
    lab[..., 0] += np.tile(BAYER, (-(-rows // 4), -(-columns // 4)))[:rows, :columns] * 9
    # The last row and column of cells may reach beyond the image and are cut.
    cells = _to_rgb(colours)[find_nearest_colours(lab, colours)]
    return np.ascontiguousarray(cells.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width])


def apply_poster(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A screen print: nine flat, pushed colours in clean shapes, with a fine outline and a dry-ink grain."""
    flat = _flatten_shapes(image, colours=9, chroma=1.4)
    scale = compute_unit(image)
    lines = draw_lines(cv2.bilateralFilter(image, 7, 40, 7), max(1.0, 1.6 * scale), threshold=0.35)
    grain = cv2.GaussianBlur(rng.standard_normal(lines.shape, dtype=np.float32), (0, 0), max(0.6, 0.8 * scale))
    factor = (np.float32(0.45) + np.float32(0.55) * lines) * (1 + np.float32(0.04) * grain)
    return to_bytes(to_float(flat) * factor[..., None])


def apply_comic(image: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001 - every style takes the generator
    """A comic panel: bright flat colours, screened shadows and a strong black line."""
    flat = to_float(_flatten_shapes(image, colours=9, chroma=1.6))
    scale = compute_unit(image)
    lines = draw_lines(cv2.bilateralFilter(image, 9, 50, 7), max(1.2, 2.0 * scale), threshold=0.22)
    black = np.clip(lines * np.float32(1.5) - np.float32(0.25), 0, 1)
    screened = flat * (np.float32(0.72) + np.float32(0.28) * _make_halftone(compute_luminance(image)))[..., None]
    return to_bytes(screened * (np.float32(0.08) + np.float32(0.92) * black)[..., None])


def _make_halftone(light: Plane) -> Plane:
    """Dots at 45 degrees that grow as the light falls: 0 on a dot, 1 between."""
    height, width = light.shape
    column, row = make_pixel_grid(height, width)
    # Never under four and a half pixels, or the dots would turn to grey.
    pitch = np.float32(np.pi / max(4.5, 6.5 * compute_unit(light)))
    dots = (np.sin((column + row) * pitch) * np.sin((column - row) * pitch) + 1) / 2
    tone = cv2.GaussianBlur(light, (0, 0), max(1.0, 3 * compute_unit(light)))
    return np.clip(
        (tone * np.float32(1.35) - dots * np.float32(0.9)) * np.float32(8 / max(1.0, compute_unit(light))), 0, 1
    )


def _flatten_shapes(image: Pixels, *, colours: int, chroma: float) -> Pixels:
    """The image in a few flat colours, the palette spread over the whole range from dark to light."""
    height, width = image.shape[:2]
    scale = min(1.0, 640 / max(height, width))
    small = resize(image, max(1, round(width * scale)), max(1, round(height * scale)))
    reach = max(2, round(5 * compute_unit(small) * 1.5))
    calm = paint_dabs(paint_dabs(small, reach), max(2, reach - 1))
    palette_colours = extract_palette(calm, colours)
    calm = cv2.resize(calm, (width, height), interpolation=cv2.INTER_CUBIC)
    # A median of numbers of colours is no mean colour, but it moves borders and removes specks, which is all it is for.
    shapes = cv2.medianBlur(find_nearest_colours(cv2.cvtColor(calm, cv2.COLOR_RGB2Lab), palette_colours), 7)
    return _to_rgb(_push_colours(palette_colours, chroma))[shapes.astype(np.uint8)]


def _push_colours(colours: Array, chroma: float) -> Array:
    """The palette with ``chroma`` times its colour and its lightnesses spread evenly, 60 % of the way."""
    pushed = colours.copy()
    pushed[:, 1:] = 128 + (colours[:, 1:] - 128) * chroma
    order = np.argsort(colours[:, 0], kind="stable")
    # In the order of lightness, so that what was darker stays darker.
    pushed[order, 0] = colours[order, 0] * 0.4 + np.linspace(45, 240, len(colours)) * 0.6
    return pushed


def _to_rgb(colours: Array) -> NDArray[np.uint8]:
    lab = np.clip(np.round(colours), 0, 255).astype(np.uint8)
    return cv2.cvtColor(lab[None], cv2.COLOR_Lab2RGB)[0].astype(np.uint8)


def apply_duotone(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Two inks, aubergine and coral, on cream."""
    grey = cv2.createCLAHE(1.6, (8, 8)).apply(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    height, width = grey.shape[:2]
    grain = rng.standard_normal((height, width), dtype=np.float32) * np.float32(2.2)
    stops = np.linspace(0, 255, len(DUOTONE))
    curve = np.stack([np.interp(np.arange(256), stops, DUOTONE[:, channel]) for channel in range(3)], axis=1)
    return to_bytes(curve)[np.clip(grey + grain + np.float32(0.5), 0, 255).astype(np.uint8)]


def apply_vintage(image: Pixels, rng: np.random.Generator) -> Pixels:
    """A print from an old album: warm, faded, darker in the corners, with film grain."""
    height, width = image.shape[:2]
    faded = to_float(image) * np.array([1.08, 0.95, 0.78], np.float32) + np.array([0.02, 0.045, 0.09], np.float32)
    column, row = make_pixel_grid(height, width)
    across, down = column / np.float32(width / 2) - 1, row / np.float32(height / 2) - 1
    # The middle of the picture keeps its light.
    away = np.clip(across * across + down * down - np.float32(0.25), 0, 2)
    vignette = 1 - np.float32(0.36) * np.power(away, np.float32(1.2))
    grain = rng.standard_normal((height, width), dtype=np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), max(0.8, 0.8 * compute_unit(image))) * np.float32(0.045)
    return to_bytes(np.power(np.clip(faded, 0, 1), np.float32(0.95)) * vignette[..., None] + grain[..., None])
