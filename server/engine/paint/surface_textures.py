"""The structure of surfaces: grass, sand, snow, walls, stones and boards, painted over a canvas of one colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.colour import mix, rgb
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.pixels import Array, Colours, Plane


def _vary(canvas: Canvas, rng: np.random.Generator, *, cell: float, strength: float, stretch: float = 1.0) -> None:
    """Vary the lightness of the canvas by noise of that largest feature, a share of the shorter side."""
    noise = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * cell, octaves=5, stretch=stretch)
    canvas.image *= 1 + (noise[..., None] - np.float32(0.5)) * np.float32(2 * strength)


def emboss_canvas(canvas: Canvas, height: Plane, strength: float) -> None:
    """Light the canvas from the upper left by the slopes of a height field in [0, 1]."""
    slopes = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8) + cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8)
    canvas.image *= np.clip(1 + slopes * np.float32(strength), 0.4, 1.6)[..., None]


def _paint_turf(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas.image *= np.float32(0.7)
    _vary(canvas, rng, cell=0.4, strength=0.35)
    _vary(canvas, rng, cell=0.02, strength=0.4)


def _paint_sand(canvas: Canvas, rng: np.random.Generator) -> None:
    """Ripples across, bent by noise, and single grains."""
    _vary(canvas, rng, cell=0.5, strength=0.12)
    bend = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.35, octaves=3) * np.float32(9)
    lines = canvas.get_rows() / np.float32(canvas.unit * 0.05) + bend
    emboss_canvas(canvas, (0.5 + 0.5 * np.sin(lines * np.float32(1.6))).astype(np.float32), canvas.unit * 0.006)
    _add_grains(canvas, rng, 0.09)


def _paint_snow(canvas: Canvas, rng: np.random.Generator) -> None:
    """Soft drifts with bluish hollows, and a fine sparkle."""
    drifts = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.5, octaves=3, stretch=1.8)
    hollow = np.clip(0.75 - drifts, 0, 1)[..., None]
    canvas.image[:] = mix(canvas.image, canvas.image * rgb("#b4c8e6"), hollow * np.float32(0.7))
    emboss_canvas(canvas, drifts, canvas.unit * 0.012)
    emboss_canvas(canvas, make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.03, octaves=4), 0.7)
    _add_grains(canvas, rng, 0.05)


def _paint_rough(canvas: Canvas, rng: np.random.Generator) -> None:
    """Soil, asphalt and plaster: patches, lumps and grains."""
    _vary(canvas, rng, cell=0.4, strength=0.14)
    lumps = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.03, octaves=4, persistence=0.7)
    emboss_canvas(canvas, lumps, 2.6)
    _add_grains(canvas, rng, 0.06)


def _paint_plaster(canvas: Canvas, rng: np.random.Generator) -> None:
    _vary(canvas, rng, cell=0.7, strength=0.08)
    emboss_canvas(canvas, make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.05, octaves=5), 1.2)
    _add_grains(canvas, rng, 0.03)


def _add_grains(canvas: Canvas, rng: np.random.Generator, strength: float) -> None:
    noise = rng.random((canvas.height, canvas.width, 1), dtype=np.float32) - np.float32(0.5)
    canvas.image *= 1 + cv2.GaussianBlur(noise, (0, 0), max(0.3, canvas.unit / 900))[..., None] * np.float32(
        2 * strength
    )


def _paint_bricks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Courses of bricks, each half a brick out of step with the one below."""
    _lay_blocks(canvas, rng, course=0.075, length=0.22, joint=0.009, spread=0.2, mortar="#b9b0a3")


def _paint_tiles(canvas: Canvas, rng: np.random.Generator) -> None:
    _lay_blocks(canvas, rng, course=0.16, length=0.16, joint=0.006, spread=0.05, mortar="#a9b0b2", step=0.0)


def _paint_planks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Boards with their grain along them."""
    _lay_blocks(canvas, rng, course=0.13, length=1.1, joint=0.005, spread=0.18, mortar="#3a2a1c")
    _vary(canvas, rng, cell=0.012, strength=0.22, stretch=26.0)


def _lay_blocks(
    canvas: Canvas, rng: np.random.Generator, *, course: float, length: float, joint: float,
    spread: float, mortar: str, step: float = 0.5,
) -> None:  # fmt: skip
    """Rectangular blocks with joints between them; lengths are shares of the shorter side."""
    rows, columns = canvas.get_rows() / np.float32(canvas.unit), canvas.get_columns() / np.float32(canvas.unit)
    line = np.floor(rows / np.float32(course))
    shifted = columns / np.float32(length) + line * np.float32(step)
    across, down = (shifted % 1) * np.float32(length), (rows % np.float32(course))
    edge = np.minimum.reduce([across, length - across, np.broadcast_to(down, across.shape),
                              np.broadcast_to(course - down, across.shape)])  # fmt: skip
    tones = (1 + (rng.random(4096) - 0.5) * 2 * spread).astype(np.float32)
    own = tones[((line * 131 + np.floor(shifted) * 17).astype(np.int64)) % 4096]
    colour = canvas.image[0, 0].copy()
    canvas.image *= own[..., None]
    _vary(canvas, rng, cell=0.03, strength=0.16)
    _lay_joints(canvas, colour, edge.astype(np.float32), joint, rgb(mortar))


def _lay_joints(canvas: Canvas, colour: Colours, edge: Plane, joint: float, mortar: Colours) -> None:
    """Mortar where the edge of a block is nearer than half a joint; blocks are rounded towards it."""
    soft = np.float32(1.5 / canvas.unit)
    inside = np.clip((edge - np.float32(joint / 2)) / soft, 0, 1)
    # As dark as the blocks are: by night mortar is no brighter than its wall.
    brightness = np.float32(min(1.0, float(colour.max()) * 1.5))
    rounded = np.clip(edge / np.float32(joint * 1.6), 0.72, 1)
    canvas.image[:] = mix(mortar * brightness, canvas.image * rounded[..., None], inside[..., None])


def _paint_stones(canvas: Canvas, rng: np.random.Generator) -> None:
    """Irregular stones: the cells around scattered points, each of its own tone."""
    _lay_stones(canvas, rng, size=0.16)


def _paint_gravel(canvas: Canvas, rng: np.random.Generator) -> None:
    _lay_stones(canvas, rng, size=0.035)


def _lay_stones(canvas: Canvas, rng: np.random.Generator, *, size: float) -> None:
    cell = max(4.0, canvas.unit * size)
    rows, columns = np.mgrid[0 : canvas.height : cell, 0 : canvas.width : cell]
    # Shifted from a grid: purely random points leave some stones ten times as large as others.
    points = np.stack([rows, columns], axis=-1).reshape(-1, 2) + rng.random((rows.size, 2)) * cell
    seeds = np.full((canvas.height, canvas.width), 255, np.uint8)
    inside = points[(points[:, 0] < canvas.height) & (points[:, 1] < canvas.width)].astype(np.intp)
    seeds[inside[:, 0], inside[:, 1]] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    tones = (0.7 + 0.6 * rng.random(int(labels.max()) + 1)).astype(np.float32)
    colour = canvas.image[0, 0].copy()
    canvas.image *= np.take(tones, np.asarray(labels, np.intp))[..., None]
    _vary(canvas, rng, cell=0.04, strength=0.14)
    _lay_joints(
        canvas, colour, _measure_from_edges(labels) / np.float32(canvas.unit), size * 0.09, colour * np.float32(0.35)
    )


def _measure_from_edges(labels: Array) -> Plane:
    """How far each pixel is from the border of its cell, in pixels."""
    own = labels.astype(np.float32)
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= own[:, 1:] != own[:, :-1]
    border[1:] |= own[1:] != own[:-1]
    return cv2.distanceTransform(np.where(border, 0, 255).astype(np.uint8), cv2.DIST_L2, 5)


TEXTURES: Final[dict[str, Callable[[Canvas, np.random.Generator], None]]] = {
    "grass": _paint_turf, "sand": _paint_sand, "snow": _paint_snow, "soil": _paint_rough, "asphalt": _paint_rough,
    "gravel": _paint_gravel, "brick wall": _paint_bricks, "tiles": _paint_tiles, "wall": _paint_plaster,
    "stone wall": _paint_stones, "planks": _paint_planks,
}  # fmt: skip
"""A painter for each surface: it finds the canvas filled with the surface's colour."""
