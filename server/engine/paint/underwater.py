"""Underwater scenes: shafts of light, a sandy bottom, weed, coral and bubbles; fish come from `scene`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas, smooth_curve
from atelier_mcp.server.engine.paint.colour import get_named_colour, make_gradient, mix, rgb, shade_colour
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours


def paint_underwater(stage: Stage) -> None:
    """Fill the canvas with water seen from inside."""
    canvas = stage.canvas
    rng = canvas.make_rng("deep")
    noun = stage.prompt.find_scene("underwater") or stage.prompt.find_scene("sea")
    tint = (
        get_named_colour(noun.colours[0])
        if noun and noun.colours
        else rgb(("#1f7fa8", "#1f8f96", "#2a6fb0")[int(rng.integers(3))])
    )
    dim = np.float32(0.45 if stage.mood.is_dark else 1.0)
    canvas.image[:] = (
        make_gradient([mix(tint, rgb("#d9fbff"), 0.6), tint, shade_colour(tint, 0.35)], canvas.height)[:, None] * dim
    )
    _paint_light_shafts(canvas, rng)
    _paint_bottom(canvas, rng, mix(rgb("#d8c08f"), tint, 0.5) * dim)
    _paint_reef(stage, rng)
    _paint_bubbles(canvas, rng)


def _paint_light_shafts(canvas: Canvas, rng: np.random.Generator) -> None:
    source = canvas.width * rng.uniform(0.3, 0.7)
    for _ in range(9):
        foot = source + rng.normal(0, 0.5) * canvas.width
        half = canvas.unit * rng.uniform(0.02, 0.09)
        # Nearer to each other at the surface than at the bottom: they have one source.
        top = source + (foot - source) * 0.25
        outline = [
            (top - half * 0.3, 0.0),
            (top + half * 0.3, 0.0),
            (foot + half, canvas.height * 0.92),
            (foot - half, canvas.height * 0.92),
        ]
        canvas.beam(outline, (top, 0.0), canvas.height * 0.4, rgb("#e4fdff"), float(rng.uniform(0.12, 0.3)))


def _paint_bottom(canvas: Canvas, rng: np.random.Generator, sand: Colours) -> None:
    line = make_cloud_noise(rng, 1, canvas.width, canvas.unit / 2, octaves=4)[0]
    edge = canvas.height - canvas.unit * (0.09 + 0.16 * line)
    cover = np.clip(canvas.get_rows() - edge[None, :], 0, 1)
    ripples = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit / 22, octaves=3, stretch=3.5)
    depth = np.clip((canvas.get_rows() - edge[None, :]) / np.float32(canvas.unit * 0.25), 0, 1)
    canvas.blend(cover, sand * (0.62 + 0.34 * depth + 0.4 * (ripples - 0.5))[..., None])


def _paint_reef(stage: Stage, rng: np.random.Generator) -> None:
    """Weed that sways, coral that branches and boulders of brain coral, in clumps."""
    canvas = stage.canvas
    colours = [rgb(value) for value in ("#d9527a", "#e8863a", "#c8458f", "#8a4fb5", "#e0b04a")]
    for _ in range(13):
        x = canvas.width * rng.random()
        y = canvas.height - canvas.unit * rng.uniform(0.0, 0.1)
        size = canvas.unit * rng.uniform(0.12, 0.3)
        layer = canvas.create_layer(x - size, y - size * 1.4, x + size, y + size * 0.2)
        # Half of the clumps are weed, half coral.
        if rng.random() < 0.5:
            for blade in range(7):
                root, sway = x + (blade - 3) * size * 0.05, rng.uniform(-0.2, 0.2) * size
                tall = size * rng.uniform(0.7, 1.25)
                curve = smooth_curve(
                    [
                        (root, y),
                        (root + sway * 0.6, y - tall * 0.35),
                        (root - sway * 0.5, y - tall * 0.7),
                        (root + sway, y - tall),
                    ]
                )
                layer.taper(curve, shade_colour(rgb("#2f7a5a"), rng.uniform(0.5, 1.1)), size * 0.055, size * 0.006)
        else:
            # Mixed with the water at that height, through which it is seen.
            colour = mix(colours[int(rng.integers(len(colours)))], canvas.image[int(canvas.height * 0.7), 0], 0.3)
            for angle in np.linspace(-60, 60, 9) + rng.uniform(-6, 6, 9):
                lean = np.radians(angle)
                tip = (x + float(np.sin(lean)) * size * 0.6, y - float(np.cos(lean)) * size * 0.7)
                middle = (x + float(np.sin(lean)) * size * 0.18, y - size * 0.38)
                layer.taper(
                    smooth_curve([(x, y), middle, tip]),
                    shade_colour(colour, rng.uniform(0.75, 1.1)),
                    size * 0.06,
                    size * 0.03,
                )
                layer.dot(tip, size * 0.026, shade_colour(colour, 1.2))
        layer.inflate(towards=(0.0, -1.0), depth=size * 0.04, strength=0.45)
        canvas.lay(layer)


def _paint_bubbles(canvas: Canvas, rng: np.random.Generator) -> None:
    for _ in range(34):
        centre = (canvas.width * rng.random(), canvas.height * rng.uniform(0.05, 0.9))
        radius = canvas.unit * rng.uniform(0.003, 0.011)
        canvas.ellipse(centre, radius, colour=rgb("#e9fdff"), opacity=0.28)
        canvas.ellipse(
            (centre[0] - radius * 0.3, centre[1] - radius * 0.35), radius * 0.3, colour=rgb("#ffffff"), opacity=0.8
        )
