"""Trains and buses; like the other vehicles they look right when their index is even, left when it is odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _mirror_points(place: Place, path: str) -> list[Point]:
    side = -1.0 if place.index % 2 else 1.0
    return [place.to_canvas(side * right, up) for right, up in parse_points(path)]


def _outline_box(
    place: Place, left: float, low: float, right: float, high: float, *, round_by: float = 0.0
) -> list[Point]:
    """A box with its corners cut off by ``round_by``."""
    cut = round_by
    path = [
        (left + cut, low), (right - cut, low), (right, low + cut), (right, high - cut),
        (right - cut, high), (left + cut, high), (left, high - cut), (left, low + cut),
    ]  # fmt: skip
    side = -1.0 if place.index % 2 else 1.0
    return [place.to_canvas(side * x, y) for x, y in path]


def _create_layer(stage: Stage, place: Place, half: float) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - size * 1.1, place.x + half * size, place.y + size * 0.1
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.25)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.06, colour=dark, opacity=0.6, blur=reach * 0.04)


def _paint_wheel(stage: Stage, place: Place, layer: Layer, right: float, radius: float) -> None:
    """A tyre with a hub."""
    (centre,) = _mirror_points(place, f"{right},{radius}")
    for share, colour in ((1.0, "#1c1c20"), (0.58, "#b9bec4"), (0.42, "#8b9096"), (0.14, "#e3e6e9")):
        layer.ellipse(centre, place.size * radius * share, colour=stage.mood.apply_light(rgb(colour)))


def paint_bus(stage: Stage, place: Place) -> None:
    """A city bus from the side; its size is its height."""
    canvas, size = stage.canvas, place.size
    paint = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    _paint_shadow(stage, place, 1.35)
    body = _create_layer(stage, place, 1.5)
    body.poly(_outline_box(place, -1.3, 0.13, 1.3, 0.98, round_by=0.09), paint)
    body.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size), depth=size * 0.2, strength=0.45, rim=stage.rim
    )
    body.poly(_outline_box(place, -1.3, 0.13, 1.3, 0.3, round_by=0.03), shade_colour(paint, 0.72))
    body.line(_mirror_points(place, "-1.29,0.46 1.29,0.46"), mix(paint, WHITE, 0.65), size * 0.035)
    glass = mix(stage.lamp, stage.mood.sky[-1], 0.35)
    for left in (-1.2, -0.8, -0.4, 0.0):
        body.poly(_outline_box(place, left, 0.54, left + 0.34, 0.86, round_by=0.03), glass)
    body.poly(_outline_box(place, 1.06, 0.48, 1.3, 0.88, round_by=0.03), glass)
    _paint_bus_door(place, body, glass, paint)
    sheen = mix(glass, WHITE, 0.5)
    for left in (-1.14, -0.74, -0.34, 0.06):
        body.line(_mirror_points(place, f"{left},0.6 {left + 0.14},0.82"), sheen, size * 0.02)
    body.poly(_outline_box(place, 0.5, 0.885, 1.2, 0.955, round_by=0.02), stage.mood.apply_light(rgb("#22242a")))
    body.line(_mirror_points(place, "0.58,0.92 1.1,0.92"), rgb("#f0b43c"), size * 0.026)
    for right, colour in ((1.26, "#fff1c2"), (-1.26, "#d8322b")):
        body.ellipse(_mirror_points(place, f"{right},0.36")[0], size * 0.04, size * 0.055, colour=rgb(colour))
    for right in (-0.78, 0.76):
        body.ellipse(_mirror_points(place, f"{right},0.2")[0], size * 0.24, colour=shade_colour(paint, 0.3))
        _paint_wheel(stage, place, body, right, 0.185)
    canvas.lay(body)
    if stage.mood.is_dark:
        canvas.glow(_mirror_points(place, "1.3,0.36")[0], size * 0.2, rgb("#ffe2a0"), strength=0.8)


def _paint_bus_door(place: Place, body: Layer, glass: Colours, paint: Colours) -> None:
    frame = shade_colour(paint, 0.5)
    body.poly(_outline_box(place, 0.42, 0.18, 0.94, 0.87), frame)
    for left in (0.45, 0.695):
        body.poly(_outline_box(place, left, 0.22, left + 0.215, 0.84, round_by=0.02), glass)


def paint_train(stage: Stage, place: Place) -> None:
    """A steam locomotive with two carriages on its rails; its size is the height up to the chimney."""
    canvas, size = stage.canvas, place.size
    paint = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    _paint_rails(stage, place)
    _paint_smoke(stage, place)
    layer = _create_layer(stage, place, 2.1)
    for left in (-1.9, -0.98):
        _paint_carriage(stage, place, layer, left, paint)
    _paint_locomotive(stage, place, layer, paint)
    canvas.lay(layer)
    if stage.mood.is_dark:
        canvas.glow(_mirror_points(place, "1.62,0.62")[0], size * 0.22, rgb("#ffe2a0"), strength=0.9)


def _paint_rails(stage: Stage, place: Place) -> None:
    canvas, size = stage.canvas, place.size
    _paint_shadow(stage, place, 1.95)
    wood, steel = stage.mood.apply_light(rgb("#5a4433")), stage.mood.apply_light(rgb("#9aa0a6"))
    for right in np.linspace(-1.95, 1.9, 26):
        box = place.to_canvas_points(
            (right - 0.04, -0.05), (right + 0.04, -0.05), (right + 0.035, 0.0), (right - 0.035, 0.0)
        )
        canvas.poly(box, wood)
    canvas.line(place.to_canvas_points((-2.0, 0.0), (1.95, 0.0)), steel, size * 0.03)


def _paint_smoke(stage: Stage, place: Place) -> None:
    """Puffs that grow and fade behind the chimney."""
    if stage.mood.time == "alone":
        return
    rng = stage.canvas.make_rng(f"smoke{place.index}")
    side = -1.0 if place.index % 2 else 1.0
    grey = mix(stage.mood.apply_light(rgb("#e9e9ec")), stage.mood.haze, 0.3)
    for puff in range(11):
        along = puff / 10
        spot = place.to_canvas(side * (1.28 - 1.25 * along + rng.uniform(-0.05, 0.05)), 1.03 + 0.42 * along**0.7)
        radius = place.size * (0.07 + 0.17 * along)
        stage.canvas.ellipse(
            spot, radius, radius * 0.8, colour=grey, opacity=0.62 * (1 - 0.8 * along), blur=radius * 0.35
        )


def _paint_carriage(stage: Stage, place: Place, layer: Layer, left: float, paint: Colours) -> None:
    right = left + 0.84
    dark, glass = stage.mood.apply_light(rgb("#2a2c31")), mix(stage.lamp, stage.mood.sky[-1], 0.3)
    layer.poly(_outline_box(place, left - 0.05, 0.2, right + 0.1, 0.25), dark)
    layer.poly(_outline_box(place, left, 0.23, right, 0.74, round_by=0.03), paint)
    layer.gradient(place.to_canvas(0, 0.75), place.to_canvas(0, 0.2), 1.08, 0.9)
    layer.poly(_outline_box(place, left - 0.03, 0.72, right + 0.03, 0.8, round_by=0.035), shade_colour(paint, 0.55))
    layer.line(_mirror_points(place, f"{left},0.34 {right},0.34"), mix(paint, rgb("#f6e4b0"), 0.7), place.size * 0.02)
    for step in range(3):
        start = left + 0.07 + step * 0.25
        layer.poly(_outline_box(place, start, 0.44, start + 0.19, 0.66, round_by=0.025), glass)
    for wheel in (left + 0.18, right - 0.18):
        _paint_wheel(stage, place, layer, wheel, 0.12)


def _paint_locomotive(stage: Stage, place: Place, layer: Layer, paint: Colours) -> None:
    size = place.size
    iron, brass = stage.mood.apply_light(rgb("#34373d")), stage.mood.apply_light(rgb("#d9ae55"))
    layer.poly(_outline_box(place, 0.0, 0.2, 1.56, 0.3), shade_colour(iron, 0.8))
    layer.poly(_mirror_points(place, "1.5,0.3 1.56,0.2 1.78,0.02 1.5,0.02"), stage.mood.apply_light(rgb("#b4322b")))
    for path in (
        "1.2,0.84 1.22,1.0 1.16,1.04 1.42,1.04 1.36,1.0 1.38,0.84",
        "0.78,0.82 0.8,0.92 0.88,0.95 0.96,0.92 0.98,0.82",
    ):
        layer.poly(_mirror_points(place, path), iron if path.startswith("1.2") else brass)
    boiler = _outline_box(place, 0.5, 0.4, 1.56, 0.84, round_by=0.08)
    layer.poly(boiler, paint)
    layer.poly(_outline_box(place, 1.46, 0.39, 1.6, 0.85, round_by=0.06), iron)
    layer.inflate(towards=(-0.3, -0.9), depth=size * 0.2, strength=0.5, rim=stage.rim)
    for right in (0.72, 1.06, 1.4):
        layer.line(_mirror_points(place, f"{right},0.41 {right},0.83"), brass, size * 0.02)
    layer.poly(_outline_box(place, 0.0, 0.28, 0.52, 0.9), shade_colour(paint, 0.85))
    layer.poly(_outline_box(place, -0.07, 0.88, 0.6, 0.97, round_by=0.03), iron)
    layer.poly(_outline_box(place, 0.1, 0.56, 0.4, 0.82, round_by=0.03), mix(stage.lamp, stage.mood.sky[-1], 0.3))
    layer.ellipse(_mirror_points(place, "1.62,0.62")[0], size * 0.065, colour=brass)
    layer.ellipse(_mirror_points(place, "1.63,0.62")[0], size * 0.045, colour=rgb("#fff1c2"))
    for right, radius in ((0.3, 0.21), (0.76, 0.21), (1.22, 0.13), (1.48, 0.13)):
        _paint_spoked_wheel(stage, place, layer, right, radius)
    layer.line(_mirror_points(place, "0.3,0.2 0.76,0.16 1.14,0.2"), mix(iron, WHITE, 0.5), size * 0.035)


def _paint_spoked_wheel(stage: Stage, place: Place, layer: Layer, right: float, radius: float) -> None:
    size = place.size
    red, iron = stage.mood.apply_light(rgb("#b4322b")), stage.mood.apply_light(rgb("#26282d"))
    (hub,) = _mirror_points(place, f"{right},{radius}")
    layer.ellipse(hub, size * radius * 0.95, colour=shade_colour(iron, 0.6))
    for angle in np.linspace(0, np.pi, 6)[:-1]:
        across, down = float(np.cos(angle)) * size * radius * 0.9, float(np.sin(angle)) * size * radius * 0.9
        layer.line([(hub[0] - across, hub[1] - down), (hub[0] + across, hub[1] + down)], red, size * radius * 0.13)
    rim = build_ellipse(hub, size * radius * 0.9)
    layer.line(np.concatenate([rim, rim[:1]]), red, size * radius * 0.2)
    layer.ellipse(hub, size * radius * 0.2, colour=mix(red, WHITE, 0.3))
