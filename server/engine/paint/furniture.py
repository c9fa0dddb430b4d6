"""Chairs, beds and guitars: things that stand on a floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _create_layer(stage: Stage, place: Place, half: float) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - size * 1.1, place.x + half * size, place.y + size * 0.12
    )


def _paint_shadow(stage: Stage, place: Place, half: float, *, right: float = 0.0) -> None:
    reach = place.size * half
    stage.canvas.ellipse(
        place.to_canvas(right, 0.02), reach, reach * 0.2, colour=rgb("#120a06"), opacity=0.42, blur=reach * 0.12
    )


def _fill(place: Place, layer: Layer, path: str, colour: Colours) -> None:
    layer.poly(place.to_canvas_points(*parse_points(path)), colour)


def paint_chair(stage: Stage, place: Place) -> None:
    """A wooden chair at a slant, a cushion on its seat."""
    wood = stage.choose_colour(place.noun, place.index, rgb("#9a6a3f"))
    own = place.noun.colours
    cushion = stage.mood.apply_light(get_named_colour(own[1])) if len(own) > 1 else mix(wood, stage.accents[0], 0.75)
    size = place.size
    _paint_shadow(stage, place, 0.4)
    layer = _create_layer(stage, place, 0.5)
    dark, light = shade_colour(wood, 0.6), shade_colour(wood, 1.12)
    for path in ("-0.2,0.46 -0.17,0.46 -0.16,0.1 -0.19,0.1", "0.21,0.5 0.24,0.5 0.25,0.13 0.22,0.13"):
        _fill(place, layer, path, dark)
    for path in ("-0.24,0.46 -0.19,0.46 -0.21,1.0 -0.26,1.0", "0.17,0.5 0.22,0.5 0.23,1.03 0.18,1.03"):
        _fill(place, layer, path, wood)
    for low in (0.62, 0.75, 0.88):
        rail = [(-0.22, low), (0.2, low + 0.035), (0.2, low + 0.105), (-0.22, low + 0.07)]
        layer.poly(place.to_canvas_points(*rail), shade_colour(wood, 0.92))
    _fill(place, layer, "-0.22,0.5 0.2,0.54 0.33,0.44 -0.28,0.4", light)
    _fill(place, layer, "-0.28,0.4 0.33,0.44 0.33,0.385 -0.28,0.34", wood)
    seat = smooth_curve(
        place.to_canvas_points(*parse_points("-0.22,0.43 -0.17,0.5 0.17,0.53 0.28,0.46 0.24,0.44 -0.18,0.41")),
        closed=True,
    )
    layer.poly(seat, cushion)
    layer.line(
        smooth_curve(place.to_canvas_points((-0.22, 0.43), (0.02, 0.425), (0.28, 0.455))),
        shade_colour(cushion, 0.6),
        size * 0.012,
    )
    for path in ("-0.28,0.36 -0.225,0.36 -0.24,0.0 -0.28,0.0", "0.28,0.4 0.335,0.4 0.335,0.03 0.29,0.03"):
        _fill(place, layer, path, wood)
    layer.line(place.to_canvas_points((-0.25, 0.18), (0.31, 0.2)), shade_colour(wood, 0.8), size * 0.022)
    layer.texture(stage.canvas.make_rng(f"grain{place.index}"), size * 0.05, 0.08, stretch=0.3)
    layer.gradient(place.to_canvas(-0.3, 0.5), place.to_canvas(0.35, 0.4), 1.1, 0.75)
    stage.canvas.lay(layer)


def paint_bed(stage: Stage, place: Place) -> None:
    """A made bed from its side: headboard, pillows, a blanket that takes the colour."""
    wood = stage.mood.apply_light(rgb("#8a5c38"))
    blanket = stage.choose_colour(place.noun, place.index, stage.accents[0])
    sheet = stage.mood.apply_light(rgb("#f4f0e8"))
    size = place.size
    _paint_shadow(stage, place, 1.1, right=0.05)
    layer = _create_layer(stage, place, 1.35)
    _fill(place, layer, "-1.1,0.0 -1.1,0.92 -1.02,1.0 -0.92,1.0 -0.9,0.0", wood)
    _fill(place, layer, "1.0,0.0 1.0,0.5 1.06,0.56 1.14,0.56 1.16,0.0", wood)
    _fill(place, layer, "-0.92,0.16 -0.92,0.3 1.02,0.3 1.02,0.16", shade_colour(wood, 0.75))
    layer.gradient(place.to_canvas(0, 1.0), place.to_canvas(0, 0.0), 1.1, 0.75)
    _fill(place, layer, "-0.91,0.28 -0.91,0.5 1.01,0.5 1.01,0.28", shade_colour(sheet, 0.86))
    stage.canvas.lay(layer)
    pillows = _create_layer(stage, place, 1.35)
    for path in (
        "-0.9,0.5 -0.88,0.7 -0.72,0.8 -0.6,0.7 -0.6,0.52",
        "-0.72,0.5 -0.72,0.64 -0.56,0.72 -0.38,0.66 -0.34,0.52 -0.5,0.48",
    ):
        pillows.poly(smooth_curve(place.to_canvas_points(*parse_points(path)), closed=True), sheet)
    pillows.inflate(towards=(-0.5, -0.85), depth=size * 0.1, strength=0.5)
    stage.canvas.lay(pillows)
    cover = _create_layer(stage, place, 1.35)
    outline = "-0.34,0.52 -0.2,0.6 0.2,0.62 0.7,0.6 1.0,0.56 1.03,0.3 1.02,0.12 0.6,0.09 0.1,0.12 -0.3,0.1 -0.4,0.3"
    cover.poly(smooth_curve(place.to_canvas_points(*parse_points(outline)), closed=True), blanket)
    cover.inflate(towards=(-0.3, -0.95), depth=size * 0.16, strength=0.5)
    for right in (-0.12, 0.18, 0.48, 0.78):
        fold = smooth_curve(place.to_canvas_points((right, 0.46), (right + 0.03, 0.3), (right - 0.01, 0.13)))
        cover.line(fold, shade_colour(blanket, 0.72), size * 0.014)
    turned = "-0.38,0.5 -0.22,0.6 -0.08,0.6 -0.16,0.36 -0.2,0.12 -0.33,0.1 -0.4,0.3"
    cover.poly(smooth_curve(place.to_canvas_points(*parse_points(turned)), closed=True), sheet)
    stage.canvas.lay(cover)


def paint_guitar(stage: Stage, place: Place) -> None:
    """An acoustic guitar standing upright, its front to the viewer."""
    wood = stage.choose_colour(place.noun, place.index, rgb("#c98a45"))
    dark = stage.mood.apply_light(rgb("#3b261a"))
    size = place.size
    _paint_shadow(stage, place, 0.24)
    layer = _create_layer(stage, place, 0.4)
    body = (
        "0,0.0 0.13,0.015 0.2,0.11 0.18,0.21 0.125,0.27 0.14,0.34 0.145,0.41 0.09,0.47 0,0.475 "
        "-0.09,0.47 -0.145,0.41 -0.14,0.34 -0.125,0.27 -0.18,0.21 -0.2,0.11 -0.13,0.015"
    )
    outline = smooth_curve(place.to_canvas_points(*parse_points(body)), closed=True)
    centre = np.asarray(place.to_canvas(0, 0.24), np.float32)
    layer.poly(outline, shade_colour(wood, 0.45))
    layer.poly(centre + (outline - centre) * np.float32(0.94), wood)
    layer.texture(stage.canvas.make_rng(f"spruce{place.index}"), size * 0.03, 0.12, stretch=0.25)
    layer.gradient(place.to_canvas(-0.2, 0.4), place.to_canvas(0.2, 0.1), 1.12, 0.72)
    layer.ellipse(place.to_canvas(0, 0.315), size * 0.066, colour=mix(wood, WHITE, 0.35))
    layer.ellipse(place.to_canvas(0, 0.315), size * 0.054, colour=rgb("#160d09"))
    _fill(place, layer, "-0.08,0.12 -0.08,0.15 0.08,0.15 0.08,0.12", dark)
    _fill(place, layer, "-0.026,0.36 -0.023,0.86 0.023,0.86 0.026,0.36", dark)
    for up in np.linspace(0.4, 0.84, 11):
        layer.line(place.to_canvas_points((-0.024, up), (0.024, up)), rgb("#cbbf9f"), size * 0.004)
    _fill(place, layer, "-0.035,0.86 -0.045,0.99 0.045,0.99 0.035,0.86", shade_colour(wood, 0.6))
    for up in (0.885, 0.925, 0.965):
        for side in (-1, 1):
            layer.ellipse(place.to_canvas(side * 0.056, up), size * 0.012, size * 0.009, colour=rgb("#d8d2c4"))
    for right in np.linspace(-0.016, 0.016, 6):
        string = place.to_canvas_points((float(right) * 1.5, 0.135), (float(right), 0.88))
        layer.line(string, rgb("#e9e2d2"), max(1.0, size * 0.0022))
    rim = build_ellipse(place.to_canvas(-0.09, 0.4), size * 0.03, size * 0.014, degrees=-40)
    layer.poly(rim, mix(wood, WHITE, 0.55))
    stage.canvas.lay(layer)
