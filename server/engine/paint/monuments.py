"""Towers and churches, drawn like the houses of `buildings`: two faces, lit windows in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _create_layer(stage: Stage, place: Place, half: float) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - size * 1.15, place.x + half * size, place.y + size * 0.05
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.35)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.13, colour=dark, opacity=0.55, blur=reach * 0.07)


def _outline_arch(place: Place, right: float, low: float, half: float, high: float) -> list[Point]:
    """A window with a round top."""
    angles = np.linspace(0, np.pi, 9)
    top = [(right + half * float(np.cos(angle)), high - half + half * float(np.sin(angle))) for angle in angles]
    return place.to_canvas_points((right + half, low), *top, (right - half, low))


def paint_tower(stage: Stage, place: Place) -> None:
    """A round tower of stone with battlements, arrow slits and a pennant."""
    size = place.size
    stone = stage.choose_colour(place.noun, place.index, rgb("#b3a896"))
    _paint_shadow(stage, place, 0.28)
    layer = _create_layer(stage, place, 0.5)
    _paint_pennant(stage, place, layer)
    body = "-0.19,0.0 -0.165,0.2 -0.155,0.76 -0.2,0.82 -0.2,0.9 0.2,0.9 0.2,0.82 0.155,0.76 0.165,0.2 0.19,0.0"
    layer.poly(place.to_canvas_points(*parse_points(body)), stone)
    for right in np.linspace(-0.2, 0.12, 5):
        layer.poly(
            place.to_canvas_points((right, 0.89), (right, 0.95), (right + 0.05, 0.95), (right + 0.05, 0.89)), stone
        )
    layer.texture(stage.canvas.make_rng(f"stone{place.index}"), size * 0.05, 0.16)
    # Round: light falls off around it, unlike the two faces of a house.
    left, right = (1.12, 0.5) if stage.sun[0] < place.x else (0.5, 1.12)
    layer.gradient(place.to_canvas(-0.2, 0), place.to_canvas(0.2, 0), left, right)
    _paint_courses(stage, place, layer, stone)
    for right, low in ((-0.04, 0.62), (0.05, 0.42), (-0.03, 0.24)):
        layer.poly(
            _outline_arch(place, right, low, 0.025, low + 0.1),
            stage.lamp if stage.mood.is_dark else shade_colour(stone, 0.22),
        )
    layer.poly(_outline_arch(place, 0.0, 0.0, 0.06, 0.16), stage.mood.apply_light(rgb("#4a3324")))
    layer.line(place.to_canvas_points((-0.2, 0.825), (0.2, 0.825)), shade_colour(stone, 0.55), size * 0.012)
    stage.canvas.lay(layer)


def _paint_courses(stage: Stage, place: Place, layer: Layer, stone: Colours) -> None:
    """Some joints between stones: all of them would be a grid."""
    rng = stage.canvas.make_rng(f"joints{place.index}")
    for row in range(17):
        up = 0.04 + row * 0.044
        for _ in range(3):
            x = float(rng.uniform(-0.13, 0.09))
            layer.line(place.to_canvas_points((x, up), (x + 0.05, up)), shade_colour(stone, 0.66), place.size * 0.006)


def _paint_pennant(stage: Stage, place: Place, layer: Layer) -> None:
    cloth = get_named_colour(place.noun.colours[1]) if len(place.noun.colours) > 1 else stage.accents[0]
    layer.line(place.to_canvas_points((0, 0.9), (0, 1.12)), stage.mood.apply_light(rgb("#4d4038")), place.size * 0.012)
    wave = smooth_curve(
        place.to_canvas_points((0, 1.12), (0.08, 1.1), (0.16, 1.085), (0.08, 1.06), (0, 1.05)), closed=True
    )
    layer.poly(wave, stage.mood.apply_light(cloth))


def paint_church(stage: Stage, place: Place) -> None:
    """A village church: a nave with a steep roof, a steeple with a cross."""
    size = place.size
    own = place.noun.colours
    wall = stage.choose_colour(place.noun, place.index, rgb("#efe8da"))
    roof = stage.mood.apply_light(get_named_colour(own[1]) if len(own) > 1 else rgb("#8a4536"))
    if stage.prompt.has("snow"):
        roof = mix(roof, stage.mood.apply_light(rgb("#f4f7fb")), 0.8)
    lit, dim = (1.05, 0.7) if stage.sun[0] < place.x else (0.7, 1.05)
    _paint_shadow(stage, place, 0.62)
    layer = _create_layer(stage, place, 0.75)
    layer.poly(place.to_canvas_points((-0.12, 0.0), (-0.12, 0.32), (0.56, 0.32), (0.56, 0.0)), shade_colour(wall, dim))
    layer.poly(
        place.to_canvas_points((-0.16, 0.31), (-0.04, 0.54), (0.5, 0.54), (0.6, 0.31)), shade_colour(roof, dim + 0.15)
    )
    _paint_roof_lines(place, layer, roof)
    tower = shade_colour(wall, lit)
    layer.poly(place.to_canvas_points((-0.34, 0.0), (-0.34, 0.62), (-0.06, 0.62), (-0.06, 0.0)), tower)
    layer.poly(
        place.to_canvas_points((-0.06, 0.0), (-0.06, 0.62), (0.0, 0.6), (0.0, 0.0)), shade_colour(wall, dim * 0.85)
    )
    layer.poly(place.to_canvas_points((-0.37, 0.61), (-0.2, 1.0), (-0.03, 0.61)), shade_colour(roof, lit))
    layer.poly(place.to_canvas_points((-0.03, 0.61), (-0.2, 1.0), (0.03, 0.59)), shade_colour(roof, dim * 0.85))
    layer.texture(stage.canvas.make_rng(f"plaster{place.index}"), size * 0.06, 0.05)
    iron = stage.mood.apply_light(rgb("#c9a24a"))
    layer.line(place.to_canvas_points((-0.2, 0.99), (-0.2, 1.11)), iron, size * 0.014)
    layer.line(place.to_canvas_points((-0.235, 1.07), (-0.165, 1.07)), iron, size * 0.014)
    _paint_church_openings(stage, place, layer, wall)
    stage.canvas.lay(layer)


def _paint_roof_lines(place: Place, layer: Layer, roof: Colours) -> None:
    for share in (0.25, 0.5, 0.75):
        left, right = -0.16 + 0.12 * share, 0.6 - 0.1 * share
        up = 0.31 + 0.23 * share
        layer.line(place.to_canvas_points((left, up), (right, up)), shade_colour(roof, 0.62), place.size * 0.005)


def _paint_church_openings(stage: Stage, place: Place, layer: Layer, wall: Colours) -> None:
    frame, glass = shade_colour(wall, 0.6), stage.lamp
    for right in (0.1, 0.26, 0.42):
        layer.poly(_outline_arch(place, right, 0.08, 0.045, 0.26), frame)
        layer.poly(_outline_arch(place, right, 0.09, 0.034, 0.25), glass)
        layer.line(place.to_canvas_points((right, 0.09), (right, 0.25)), frame, place.size * 0.007)
    layer.poly(_outline_arch(place, -0.2, 0.44, 0.045, 0.57), frame)
    layer.poly(_outline_arch(place, -0.2, 0.45, 0.032, 0.56), stage.mood.apply_light(rgb("#3a3432")))
    layer.ellipse(place.to_canvas(-0.2, 0.34), place.size * 0.052, colour=frame)
    layer.ellipse(place.to_canvas(-0.2, 0.34), place.size * 0.04, colour=glass)
    layer.poly(_outline_arch(place, -0.2, 0.0, 0.06, 0.2), stage.mood.apply_light(rgb("#5a3a26")))
    layer.line(
        place.to_canvas_points((-0.2, 0.0), (-0.2, 0.2)), stage.mood.apply_light(rgb("#35241a")), place.size * 0.006
    )
