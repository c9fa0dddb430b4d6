"""Cacti and pumpkins: plants whose ribs are shaded one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, rgb, shade_colour

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place, Stage


def paint_cactus(stage: Stage, place: Place) -> None:
    """A saguaro with two arms, ribbed, a flower on its top."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng(f"cactus{place.index}")
    green = stage.choose_colour(place.noun, place.index, rgb("#4f8a4a"))
    _paint_shadow(stage, place, 0.24)
    side = -1.0 if place.index % 2 else 1.0
    low, high = rng.uniform(0.3, 0.38), rng.uniform(0.44, 0.52)
    left = place.to_canvas_points((0, low), (-side * 0.2, low), (-side * 0.24, low + 0.06), (-side * 0.24, low + 0.3))
    right = place.to_canvas_points(
        (0, high), (side * 0.18, high), (side * 0.22, high + 0.06), (side * 0.22, high + 0.24)
    )
    # The arms first; the trunk covers where they begin.
    for stem, thick in ((left, 0.1), (right, 0.095), (place.to_canvas_points((0, -0.01), (0, 0.5), (0, 0.93)), 0.15)):
        layer = canvas.create_layer(
            place.x - size * 0.5, place.y - size * 1.1, place.x + size * 0.5, place.y + size * 0.06
        )
        curve = smooth_curve(stem, steps=12)
        layer.taper(curve, green, size * thick, size * thick)
        layer.ellipse(stem[-1], size * thick / 2, size * thick * 0.55, colour=green)
        if thick < 0.15:
            layer.ellipse(stem[1], size * thick / 2, colour=green)
        layer.inflate(
            towards=stage.compute_light_direction(place.x, place.y),
            depth=size * thick * 0.55,
            strength=0.6,
            rim=stage.rim,
        )
        for offset in (-0.28, 0.0, 0.28):
            # The ribs run beside the stem: to its side where it stands, above and below where it lies.
            along = np.gradient(curve, axis=0)
            normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True) + np.float32(1e-6)
            layer.line(curve + normal * np.float32(offset * thick * size), shade_colour(green, 0.72), size * 0.006)
        canvas.lay(layer)
    canvas.ellipse(place.to_canvas(0, 1.0), size * 0.03, colour=stage.mood.apply_light(rgb("#e87aa0")))
    canvas.ellipse(place.to_canvas(0, 1.01), size * 0.014, colour=stage.mood.apply_light(rgb("#f8d36a")))


def paint_pumpkin(stage: Stage, place: Place) -> None:
    """A ribbed pumpkin; its size is its height."""
    canvas, size = stage.canvas, place.size
    skin = stage.choose_colour(place.noun, place.index, rgb("#e5802b"))
    _paint_shadow(stage, place, 0.55)
    towards = stage.compute_light_direction(place.x, place.y)
    # The outer ribs first: each one nearer to the middle lies over its neighbour.
    for right, wide in ((-0.36, 0.22), (0.36, 0.22), (-0.2, 0.24), (0.2, 0.24), (0.0, 0.24)):
        rib = canvas.create_layer(
            place.x - size * 0.75, place.y - size * 1.1, place.x + size * 0.75, place.y + size * 0.1
        )
        tall = 0.41 - abs(right) * 0.16
        rib.ellipse(place.to_canvas(right, 0.42), size * wide, size * tall, colour=skin)
        rib.inflate(towards=towards, depth=size * wide, strength=0.55)
        rib.gradient(place.to_canvas(0, 0.8), place.to_canvas(0, 0), 1.05, 0.72)
        canvas.lay(rib)
    stalk = canvas.create_layer(place.x - size * 0.4, place.y - size * 1.1, place.x + size * 0.4, place.y)
    green = stage.mood.apply_light(rgb("#5f7238"))
    stalk.taper(
        smooth_curve(place.to_canvas_points((0, 0.78), (0.02, 0.9), (0.1, 1.0))), green, size * 0.13, size * 0.07
    )
    stalk.inflate(towards=towards, depth=size * 0.05, strength=0.5)
    stalk.ellipse(
        place.to_canvas(0.1, 1.0), size * 0.037, size * 0.022, colour=mix(green, rgb("#d9cfa0"), 0.4), degrees=-35
    )
    canvas.lay(stalk)


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.3)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.16, colour=dark, opacity=0.5, blur=reach * 0.1)
