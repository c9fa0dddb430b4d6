"""A person standing in a landscape, seen from behind and from afar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import rgb, shade_colour
from atelier_mcp.server.engine.paint.sitter import choose_sitter, make_closed_curve
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.sitter import Sitter
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def paint_figure(stage: Stage, place: Place) -> None:
    """A person standing in a landscape, seen from behind."""
    sitter = choose_sitter(stage, place)
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.4, place.y - size * 1.08, place.x + size * 0.4, place.y + size * 0.05
    )
    stage.canvas.ellipse(
        (place.x, place.y),
        size * 0.16,
        size * 0.03,
        colour=stage.mood.shade * np.float32(0.3),
        opacity=0.5,
        blur=size * 0.02,
    )
    if sitter.long_hair:
        body = _paint_bare_legs(layer, place, sitter.skin)
    else:
        body = _paint_trousers(layer, place, stage.mood.apply_light(rgb("#33363f")))
    _paint_arms(layer, place, sitter)
    layer.poly(body, sitter.clothes)
    layer.poly(place.to_canvas_points((-0.03, 0.9), (-0.035, 0.82), (0.035, 0.82), (0.03, 0.9)), sitter.skin)
    _paint_back_of_head(layer, place, sitter)
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size), depth=size * 0.07, strength=0.55, rim=stage.rim
    )
    stage.canvas.lay(layer)


def _paint_trousers(layer: Layer, place: Place, cloth: Colours) -> list[Point]:
    """Paint both legs; returns the outline of the shirt above them."""
    for right in (-0.05, 0.05):
        layer.poly(
            make_closed_curve(
                place, (right - 0.045, 0.5), (right - 0.035, 0.02), (right + 0.035, 0.02), (right + 0.045, 0.5)
            ),
            cloth,
        )
    return make_closed_curve(place, (-0.1, 0.45), (-0.12, 0.8), (0, 0.85), (0.12, 0.8), (0.1, 0.45), (0, 0.43))


def _paint_bare_legs(layer: Layer, place: Place, skin: Colours) -> list[Point]:
    """Paint both legs; returns the outline of the dress above them."""
    for right in (-0.035, 0.035):
        layer.poly(
            make_closed_curve(
                place, (right - 0.022, 0.3), (right - 0.018, 0.0), (right + 0.018, 0.0), (right + 0.022, 0.3)
            ),
            skin,
        )
    return make_closed_curve(
        place, *parse_points("-0.19,0.2 -0.075,0.6 -0.1,0.8 0,0.84 0.1,0.8 0.075,0.6 0.19,0.2 0,0.17")
    )


def _paint_arms(layer: Layer, place: Place, sitter: Sitter) -> None:
    for side in (-1, 1):
        layer.taper(
            smooth_curve(place.to_canvas_points((side * 0.1, 0.79), (side * 0.155, 0.62), (side * 0.135, 0.45))),
            shade_colour(sitter.clothes, 0.85),
            place.size * 0.055,
            place.size * 0.035,
        )
        layer.ellipse(place.to_canvas(side * 0.134, 0.44), place.size * 0.02, colour=sitter.skin)


def _paint_back_of_head(layer: Layer, place: Place, sitter: Sitter) -> None:
    if sitter.long_hair:
        layer.poly(
            make_closed_curve(
                place, *parse_points("0,1.02 0.075,0.96 0.085,0.8 0.06,0.68 -0.06,0.68 -0.085,0.8 -0.075,0.96")
            ),
            sitter.hair,
        )
    else:
        layer.ellipse(place.to_canvas(0, 0.935), place.size * 0.062, place.size * 0.075, colour=sitter.hair)
