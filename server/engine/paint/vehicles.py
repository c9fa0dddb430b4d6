"""Cars, bicycles, rockets, aeroplanes; each looks right when its index is even, left when it is odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Array


def _make_curve(place: Place, path: str) -> Array:
    """A smooth closed outline, mirrored for things of odd index."""
    side = -1.0 if place.index % 2 else 1.0
    return smooth_curve([place.to_canvas(side * right, up) for right, up in parse_points(path)], closed=True)


def _mirror_points(place: Place, path: str) -> list[Point]:
    """Points of the thing, mirrored for things of odd index."""
    side = -1.0 if place.index % 2 else 1.0
    return [place.to_canvas(side * right, up) for right, up in parse_points(path)]


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.25)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.09, colour=dark, opacity=0.6, blur=reach * 0.05)


def paint_car(stage: Stage, place: Place) -> None:
    """A small rounded car from the side; its size is its height."""
    canvas, size = stage.canvas, place.size
    paint = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    _paint_shadow(stage, place, 1.25)
    body = canvas.create_layer(place.x - size * 1.4, place.y - size * 1.1, place.x + size * 1.4, place.y + size * 0.1)
    shell = (
        "-1.22,0.2 -1.26,0.42 -1.16,0.54 -0.84,0.6 -0.6,0.86 -0.3,0.98 0.1,0.98 0.4,0.86 0.64,0.6 "
        "1.06,0.52 1.24,0.4 1.24,0.2 0.6,0.17 -0.6,0.17"
    )
    body.poly(_make_curve(place, shell), paint)
    body.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size), depth=size * 0.3, strength=0.55, rim=stage.rim
    )
    glass = mix(stage.lamp, stage.mood.sky[-1], 0.35)
    body.poly(_make_curve(place, "-0.62,0.62 -0.46,0.83 -0.25,0.9 -0.12,0.9 -0.1,0.62"), glass)
    body.poly(_make_curve(place, "-0.02,0.62 -0.02,0.9 0.12,0.9 0.32,0.81 0.48,0.62"), glass)
    seam = shade_colour(paint, 0.6)
    body.line(_mirror_points(place, "-0.06,0.9 -0.06,0.24"), seam, size * 0.012)
    body.line(_mirror_points(place, "-1.2,0.36 1.2,0.36"), seam, size * 0.012)
    body.line(_mirror_points(place, "-0.22,0.53 -0.34,0.53"), mix(paint, WHITE, 0.6), size * 0.025)
    body.poly(_make_curve(place, "-1.28,0.19 -1.28,0.26 1.27,0.26 1.27,0.19"), stage.mood.apply_light(rgb("#c9cdd2")))
    for right, radius, colour in ((1.14, 0.07, rgb("#fff1c2")), (-1.2, 0.05, rgb("#d8322b"))):
        body.ellipse(_mirror_points(place, f"{right},0.44")[0], size * radius, size * radius * 1.15, colour=colour)
    for right in (-0.72, 0.74):
        _paint_wheel(stage, place, body, right)
    canvas.lay(body)
    if stage.mood.is_dark:
        canvas.glow(_mirror_points(place, "1.16,0.44")[0], size * 0.2, rgb("#ffe2a0"), strength=0.8)


def _paint_wheel(stage: Stage, place: Place, layer: Layer, right: float) -> None:
    centre = _mirror_points(place, f"{right},0.21")[0]
    for radius, colour in ((0.25, "#1c1c20"), (0.15, "#b9bec4"), (0.115, "#8b9096"), (0.04, "#e3e6e9")):
        layer.ellipse(centre, place.size * radius, colour=stage.mood.apply_light(rgb(colour)))


def paint_bicycle(stage: Stage, place: Place) -> None:
    """A bicycle from the side; its size is its height."""
    canvas, size = stage.canvas, place.size
    paint = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    _paint_shadow(stage, place, 0.95)
    layer = canvas.create_layer(place.x - size * 1.1, place.y - size * 1.1, place.x + size * 1.1, place.y + size * 0.1)
    rubber, steel = stage.mood.apply_light(rgb("#232327")), stage.mood.apply_light(rgb("#c3c8ce"))
    for right in (-0.56, 0.56):
        hub = _mirror_points(place, f"{right},0.34")[0]
        for angle in np.linspace(0, np.pi, 9)[:-1]:
            across, down = float(np.cos(angle)) * size * 0.32, float(np.sin(angle)) * size * 0.32
            layer.line([(hub[0] - across, hub[1] - down), (hub[0] + across, hub[1] + down)], steel, size * 0.006)
        rim = build_ellipse(hub, size * 0.325)
        layer.line(np.concatenate([rim, rim[:1]]), rubber, size * 0.038)
        layer.ellipse(hub, size * 0.03, colour=steel)
    # The frame in one line, the seat post, the fork.
    for path in ("-0.56,0.34 -0.1,0.3 0.36,0.72 -0.24,0.72 -0.56,0.34", "-0.28,0.84 -0.1,0.3", "0.56,0.34 0.34,0.86"):
        layer.line(_mirror_points(place, path), paint, size * 0.035)
    layer.ellipse(_mirror_points(place, "-0.1,0.3")[0], size * 0.075, colour=shade_colour(steel, 0.7))
    # Cranks with their pedals.
    for path in ("-0.1,0.3 -0.02,0.14 0.05,0.14", "-0.1,0.3 -0.18,0.46 -0.25,0.46"):
        layer.line(_mirror_points(place, path), rubber, size * 0.02)
    layer.poly(
        _make_curve(place, "-0.46,0.87 -0.42,0.91 -0.24,0.88 -0.14,0.87 -0.26,0.83"),
        stage.mood.apply_light(rgb("#5a3a26")),
    )
    layer.line(smooth_curve(_mirror_points(place, "0.34,0.86 0.32,0.94 0.2,0.98")), rubber, size * 0.03)
    layer.line(smooth_curve(_mirror_points(place, "0.34,0.9 0.42,0.96 0.5,0.93")), rubber, size * 0.03)
    canvas.lay(layer)


def paint_rocket(stage: Stage, place: Place) -> None:
    """A rocket climbing on its flame; its foot is the flame's end."""
    canvas, size = stage.canvas, place.size
    trim = stage.choose_colour(place.noun, place.index, rgb("#c8322b"))
    metal = stage.mood.apply_light(rgb("#eceef0"))
    _paint_flame(stage, place)
    layer = canvas.create_layer(place.x - size * 0.4, place.y - size * 1.05, place.x + size * 0.4, place.y)
    for side in (-1, 1):
        fin = place.to_canvas_points((side * 0.09, 0.5), (side * 0.21, 0.34), (side * 0.21, 0.24), (side * 0.08, 0.32))
        layer.poly(fin, shade_colour(trim, 0.85))
    layer.poly(
        place.to_canvas_points((-0.06, 0.3), (-0.08, 0.26), (0.08, 0.26), (0.06, 0.3)),
        stage.mood.apply_light(rgb("#4a4d55")),
    )
    hull = smooth_curve(
        place.to_canvas_points(
            *parse_points("0,1.0 0.07,0.88 0.115,0.7 0.115,0.5 0.085,0.3 -0.085,0.3 -0.115,0.5 -0.115,0.7 -0.07,0.88")
        ),
        closed=True,
    )
    layer.poly(hull, metal)
    nose = smooth_curve(place.to_canvas_points((0, 1.0), (0.055, 0.91), (0.092, 0.8)))
    other = smooth_curve(place.to_canvas_points((-0.092, 0.8), (-0.055, 0.91), (0, 1.0)))
    layer.poly(np.concatenate([nose, other]), trim)
    layer.poly(place.to_canvas_points((-0.115, 0.44), (-0.105, 0.39), (0.105, 0.39), (0.115, 0.44)), trim)
    # The third fin, seen edge-on.
    layer.poly(
        place.to_canvas_points((-0.016, 0.46), (-0.01, 0.24), (0.01, 0.24), (0.016, 0.46)), shade_colour(trim, 0.75)
    )
    layer.inflate(towards=(-0.75, -0.5), depth=size * 0.1, strength=0.6, rim=stage.rim * np.float32(0.5))
    window = place.to_canvas(0, 0.66)
    layer.ellipse(window, size * 0.052, colour=stage.mood.apply_light(rgb("#8e959d")))
    layer.ellipse(window, size * 0.04, colour=rgb("#2c5f8a"))
    layer.ellipse((window[0] - size * 0.013, window[1] - size * 0.013), size * 0.012, colour=rgb("#cfe9f7"))
    canvas.lay(layer)


def _paint_flame(stage: Stage, place: Place) -> None:
    canvas, size = stage.canvas, place.size
    # Alone it becomes an element with alpha, in which a glow would be a grey veil.
    if stage.mood.time != "alone":
        canvas.glow(place.to_canvas(0, 0.18), size * 0.14, rgb("#ff9a3c"), strength=0.7)
    for wide, low, colour in ((0.1, 0.0, "#f0702a"), (0.07, 0.07, "#ffb03c"), (0.04, 0.14, "#fff2c0")):
        outline = place.to_canvas_points((-wide * 0.7, 0.27), (-wide, 0.2), (0, low), (wide, 0.2), (wide * 0.7, 0.27))
        canvas.poly(smooth_curve(outline, closed=True), rgb(colour), opacity=0.95, blur=size * 0.008)


def paint_aeroplane(stage: Stage, place: Place) -> None:
    """An airliner in flight, from the side; its size is its height."""
    canvas, size = stage.canvas, place.size
    trim = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    metal = stage.mood.apply_light(rgb("#f1f3f5"))
    layer = canvas.create_layer(place.x - size * 1.8, place.y - size * 1.1, place.x + size * 1.8, place.y + size * 0.1)
    # The far wing first, the near one last; the hull lies between them.
    layer.poly(_mirror_points(place, "-0.05,0.52 -0.5,0.86 -0.64,0.86 -0.42,0.5"), shade_colour(metal, 0.72))
    layer.poly(_mirror_points(place, "-1.2,0.58 -1.52,1.0 -1.3,1.0 -0.86,0.62"), trim)
    hull = "1.6,0.44 1.48,0.54 1.2,0.62 -1.0,0.62 -1.58,0.62 -1.5,0.54 -1.0,0.38 -0.4,0.34 1.1,0.33 1.48,0.36"
    layer.poly(_make_curve(place, hull), metal)
    layer.poly(_mirror_points(place, "-1.14,0.56 -1.5,0.68 -1.64,0.68 -1.42,0.54"), shade_colour(metal, 0.85))
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y), depth=size * 0.14, strength=0.5, rim=stage.rim
    )
    for right in np.linspace(-0.95, 1.1, 15):
        layer.ellipse(_mirror_points(place, f"{right},0.52")[0], size * 0.022, size * 0.028, colour=rgb("#33475c"))
    layer.poly(_mirror_points(place, "1.42,0.53 1.34,0.57 1.22,0.57 1.26,0.5 1.46,0.48"), rgb("#33475c"))
    layer.line(_mirror_points(place, "-1.3,0.45 1.5,0.42"), trim, size * 0.03)
    # The engine hangs below the near wing, which is painted over it.
    layer.poly(
        _make_curve(place, "0.34,0.24 0.3,0.33 0.02,0.33 -0.02,0.25 0.02,0.19 0.3,0.18"), shade_colour(metal, 0.8)
    )
    layer.poly(_mirror_points(place, "0.34,0.42 -0.5,0.0 -0.72,0.0 -0.3,0.42"), shade_colour(metal, 0.9))
    canvas.lay(layer)
