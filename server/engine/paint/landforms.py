"""Volcanoes and waterfalls: parts of a landscape that are asked for like things and stand among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _outline_ragged(place: Place, path: str, rng: np.random.Generator, roughness: float) -> list[tuple[float, float]]:
    """An outline whose straight stretches are broken up, as rock is."""
    corners = parse_points(path)
    points: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        steps = max(1, round(float(np.hypot(x1 - x0, y1 - y0)) / 0.06))
        for step in range(steps):
            share = step / steps
            # Corners stay where they are; only what lies between them is moved.
            jitter = rng.uniform(-roughness, roughness, 2) if step > 0 else (0.0, 0.0)
            points.append((x0 + (x1 - x0) * share + jitter[0], max(0.0, y0 + (y1 - y0) * share + jitter[1])))
    return place.to_canvas_points(*points)


def paint_volcano(stage: Stage, place: Place) -> None:
    """A cone with a glowing crater, streams of lava and a plume of ash."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng(f"volcano{place.index}")
    rock = stage.choose_colour(place.noun, place.index, rgb("#5a4a48"))
    _paint_plume(stage, place, rng)
    layer = canvas.create_layer(place.x - size * 1.3, place.y - size * 1.1, place.x + size * 1.3, place.y + size * 0.05)
    cone = (
        "-1.15,0.0 -0.85,0.1 -0.55,0.28 -0.32,0.52 -0.17,0.78 -0.12,0.82 -0.04,0.79 0.05,0.8 0.13,0.83 0.18,0.77 "
        "0.34,0.5 0.58,0.27 0.88,0.1 1.15,0.0"
    )
    layer.poly(_outline_ragged(place, cone, rng, 0.012), rock)
    layer.texture(rng, size * 0.11, 0.3, stretch=0.55)
    lit, dim = (1.2, 0.55) if stage.sun[0] < place.x else (0.55, 1.2)
    layer.gradient(place.to_canvas(-0.5, 0), place.to_canvas(0.5, 0), lit, dim)
    layer.gradient(place.to_canvas(0, 0.05), place.to_canvas(0, 0.5), 1.0, 0.85)
    _paint_lava(place, layer, rng)
    canvas.lay(layer)
    if stage.mood.time != "alone":
        canvas.glow(place.to_canvas(0.02, 0.82), size * 0.16, rgb("#ff7a2c"), strength=0.75)


def _paint_plume(stage: Stage, place: Place, rng: np.random.Generator) -> None:
    """Ash above the crater, dark with a warm underside; alone it stays small, or it would be cut by the frame."""
    alone = stage.mood.time == "alone"
    ash = stage.mood.apply_light(rgb("#6a6266"))
    puffs = 7 if alone else 26
    for puff in range(puffs):
        along = puff / (puffs - 1) * (0.25 if alone else 1.0)
        lean = 0.5 * along**1.4 + rng.uniform(-0.12, 0.12) * (0.3 + along)
        spot = place.to_canvas(float(lean), 0.84 + 0.55 * along)
        radius = place.size * (0.06 + 0.15 * along) * rng.uniform(0.8, 1.2)
        tone = mix(mix(rgb("#ff9a4a"), ash, min(1.0, 0.35 + 2.2 * along)), stage.mood.haze, 0.25 * along)
        # Alone it becomes an element with alpha, in which translucent ash would be a veil.
        opacity = 1.0 if alone else 0.75 * (1 - 0.6 * along)
        stage.canvas.ellipse(
            spot, radius, radius * 0.82, colour=shade_colour(tone, rng.uniform(0.85, 1.15)), opacity=opacity,
            blur=0 if alone else radius * 0.3,
        )  # fmt: skip


def _paint_lava(place: Place, layer: Layer, rng: np.random.Generator) -> None:
    size = place.size
    crater = smooth_curve(
        place.to_canvas_points(*parse_points("-0.12,0.81 0.0,0.835 0.13,0.82 0.04,0.785")), closed=True
    )
    for path, width in (
        ("0.0,0.8 -0.03,0.66 0.04,0.5 -0.04,0.34 0.05,0.14", 0.075),
        ("-0.09,0.79 -0.18,0.62 -0.2,0.48 -0.32,0.3", 0.05),
        ("0.11,0.79 0.2,0.6 0.3,0.44 0.42,0.32", 0.045),
    ):
        stream = smooth_curve([(x + rng.uniform(-0.01, 0.01), y) for x, y in parse_points(path)])
        points = [place.to_canvas(float(x), float(y)) for x, y in stream]
        # Red, orange and yellow over each other, each narrower: hottest in the middle.
        for share, colour in ((1.0, "#b8321c"), (0.62, "#f0702a"), (0.28, "#ffd27a")):
            layer.taper(points, rgb(colour), size * width * share, size * width * share * 0.45)
    # The crater last: it covers where the streams begin.
    layer.poly(crater, rgb("#ff9a3c"))


def paint_waterfall(stage: Stage, place: Place) -> None:
    """A curtain of water over a cliff into a pool, spray at its foot."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng(f"waterfall{place.index}")
    rock = stage.mood.apply_light(rgb("#6f6a62"))
    layer = canvas.create_layer(place.x - size * 1.0, place.y - size * 1.1, place.x + size * 1.0, place.y + size * 0.08)
    cliff = (
        "-0.82,0.0 -0.78,0.3 -0.7,0.52 -0.58,0.72 -0.46,0.86 -0.3,0.96 -0.14,0.93 0.14,0.92 0.3,0.98 0.48,0.88 "
        "0.6,0.7 0.72,0.46 0.8,0.22 0.84,0.0"
    )
    layer.poly(_outline_ragged(place, cliff, rng, 0.02), rock)
    layer.texture(rng, size * 0.16, 0.42, stretch=0.8)
    layer.texture(rng, size * 0.05, 0.22)
    lit, dim = (1.15, 0.6) if stage.sun[0] < place.x else (0.6, 1.15)
    layer.gradient(place.to_canvas(-0.7, 0), place.to_canvas(0.7, 0), lit, dim)
    _paint_ledges(stage, place, layer, rng)
    canvas.lay(layer)
    water = stage.choose_colour(place.noun, place.index, rgb("#d8ecf4"))
    _paint_curtain(stage, place, rng, water)
    _paint_pool(stage, place, rng, water)


def _paint_ledges(stage: Stage, place: Place, layer: Layer, rng: np.random.Generator) -> None:
    """Moss on the rock's steps, beside where the water falls."""
    moss = stage.mood.apply_light(rgb("#5f7f3e"))
    if stage.prompt.has("snow"):
        moss = stage.mood.apply_light(rgb("#eef3f8"))
    for _ in range(34):
        side = -1 if rng.random() < 0.5 else 1
        right = side * float(rng.uniform(0.2, 0.74))
        # Below the outline of the cliff, which falls off to both sides.
        up = float(rng.uniform(0.02, 0.96 - 0.95 * math.pow(abs(right), 1.6)))
        half = float(rng.uniform(0.03, 0.1))
        layer.ellipse(
            place.to_canvas(right, up), place.size * half, place.size * half * 0.3,
            colour=shade_colour(moss, rng.uniform(0.6, 1.1)),
        )  # fmt: skip


def _paint_curtain(stage: Stage, place: Place, rng: np.random.Generator, water: Colours) -> None:
    """Many thin streaks: brighter ones over darker ones make it fall."""
    canvas, size = stage.canvas, place.size
    deep = mix(water, stage.mood.apply_light(rgb("#4f8aa6")), 0.55)
    edge = place.to_canvas_points(
        *parse_points("-0.14,0.94 -0.16,0.5 -0.22,0.05 0.22,0.05 0.16,0.5 0.14,0.93 0.05,0.96 -0.05,0.96")
    )
    layer = canvas.create_layer(place.x - size * 0.4, place.y - size, place.x + size * 0.4, place.y + size * 0.05)
    layer.poly(edge, deep)
    for _ in range(64):
        right = float(rng.uniform(-1, 1))
        top, bottom = float(rng.uniform(0.4, 0.95)), float(rng.uniform(0.04, 0.4))
        # The curtain widens downwards, and every streak with it.
        start, end = (right * (0.13 + 0.07 * (0.95 - top)), top), (right * 0.2, bottom)
        layer.taper(
            place.to_canvas_points(start, end), shade_colour(water, rng.uniform(0.8, 1.08)),
            size * rng.uniform(0.006, 0.02), size * 0.004,
        )  # fmt: skip
    canvas.lay(layer)


def _paint_pool(stage: Stage, place: Place, rng: np.random.Generator, water: Colours) -> None:
    """The pool and the spray that hides where the water meets it; spray only in a scene, alone it would be a veil."""
    canvas, size = stage.canvas, place.size
    pool = mix(water, stage.mood.apply_light(rgb("#3f7a94")), 0.6)
    canvas.ellipse(place.to_canvas(0, 0.01), size * 0.62, size * 0.085, colour=pool)
    for ring in (0.52, 0.38, 0.26):
        canvas.ellipse(
            place.to_canvas(0, 0.02), size * ring, size * ring * 0.13, colour=mix(pool, water, 0.9 - ring), opacity=0.8
        )
    soft = 0.0 if stage.mood.time == "alone" else size * 0.025
    for _ in range(16):
        spot = place.to_canvas(float(rng.uniform(-0.26, 0.26)), float(rng.uniform(0.02, 0.1)))
        canvas.ellipse(
            spot, size * rng.uniform(0.03, 0.08), size * rng.uniform(0.02, 0.045),
            colour=mix(water, rgb("#ffffff"), 0.5), opacity=0.5 if soft else 1.0, blur=soft,
        )  # fmt: skip
