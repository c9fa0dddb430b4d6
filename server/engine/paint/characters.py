"""Astronauts and babies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.sitter import choose_sitter, make_closed_curve
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _create_layer(stage: Stage, place: Place) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - size * 0.6, place.y - size * 1.1, place.x + size * 0.6, place.y + size * 0.08
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    # In space nothing lies under a figure for its shadow to fall on.
    if stage.mood.time == "space":
        return
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.3)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.16, colour=dark, opacity=0.5, blur=reach * 0.1)


def _inflate(stage: Stage, place: Place, layer: Layer, depth: float) -> None:
    towards = stage.compute_light_direction(place.x, place.y - place.size)
    layer.inflate(towards=towards, depth=place.size * depth, strength=0.55, rim=stage.rim * np.float32(0.7))


def paint_astronaut(stage: Stage, place: Place) -> None:
    """An astronaut from the front, one hand raised, a golden visor on the helmet."""
    suit = stage.choose_colour(place.noun, place.index, rgb("#eceef2"))
    grey = stage.mood.apply_light(rgb("#8d949d"))
    _paint_shadow(stage, place, 0.3)
    pack = _create_layer(stage, place)
    pack.poly(
        make_closed_curve(place, *parse_points("-0.22,0.42 -0.24,0.7 -0.18,0.78 0.18,0.78 0.24,0.7 0.22,0.42")), grey
    )
    _inflate(stage, place, pack, 0.06)
    stage.canvas.lay(pack)
    _paint_suit(stage, place, suit, grey)
    _paint_helmet(stage, place, suit)


def _paint_suit(stage: Stage, place: Place, suit: Colours, grey: Colours) -> None:
    size = place.size
    limbs = _create_layer(stage, place)
    for side in (-1, 1):
        leg = smooth_curve(place.to_canvas_points((side * 0.08, 0.42), (side * 0.11, 0.22), (side * 0.115, 0.06)))
        limbs.taper(leg, suit, size * 0.16, size * 0.12)
        boot = [(side * right, up) for right, up in parse_points("0.05,0.0 0.05,0.09 0.18,0.09 0.2,0.03 0.19,0.0")]
        limbs.poly(make_closed_curve(place, *boot), grey)
    for arm in ("-0.16,0.68 -0.27,0.56 -0.28,0.4", "0.16,0.68 0.3,0.7 0.34,0.88"):
        points = smooth_curve(place.to_canvas_points(*parse_points(arm)))
        limbs.taper(points, suit, size * 0.13, size * 0.1)
        limbs.ellipse((float(points[-1][0]), float(points[-1][1])), size * 0.06, colour=grey)
    _inflate(stage, place, limbs, 0.06)
    stage.canvas.lay(limbs)
    trunk = _create_layer(stage, place)
    trunk.poly(
        make_closed_curve(
            place, *parse_points("-0.16,0.38 -0.19,0.56 -0.17,0.72 0,0.76 0.17,0.72 0.19,0.56 0.16,0.38 0,0.35")
        ),
        suit,
    )
    _inflate(stage, place, trunk, 0.1)
    trunk.poly(place.to_canvas_points(*parse_points("-0.09,0.5 -0.09,0.6 0.09,0.6 0.09,0.5")), grey)
    for right, colour in ((-0.055, "#d8423a"), (0.0, "#f0b43c"), (0.055, "#4a90c8")):
        trunk.ellipse(place.to_canvas(right, 0.55), size * 0.018, colour=rgb(colour))
    trunk.line(place.to_canvas_points((-0.17, 0.42), (0.17, 0.42)), shade_colour(suit, 0.7), size * 0.02)
    stage.canvas.lay(trunk)


def _paint_helmet(stage: Stage, place: Place, suit: Colours) -> None:
    size = place.size
    helmet = _create_layer(stage, place)
    helmet.ellipse(place.to_canvas(0, 0.74), size * 0.13, size * 0.035, colour=shade_colour(suit, 0.7))
    helmet.ellipse(place.to_canvas(0, 0.86), size * 0.155, size * 0.15, colour=suit)
    _inflate(stage, place, helmet, 0.14)
    helmet.ellipse(place.to_canvas(0, 0.855), size * 0.118, size * 0.1, colour=shade_colour(suit, 0.45))
    stage.canvas.lay(helmet)
    visor = _create_layer(stage, place)
    visor.ellipse(place.to_canvas(0, 0.855), size * 0.108, size * 0.09, colour=rgb("#b9822f"))
    visor.gradient(place.to_canvas(-0.06, 0.94), place.to_canvas(0.08, 0.78), 1.35, 0.3)
    visor.ellipse(
        place.to_canvas(-0.045, 0.895), size * 0.034, size * 0.018, colour=mix(rgb("#ffe9b8"), WHITE, 0.4), degrees=-30
    )
    stage.canvas.lay(visor)


def paint_baby(stage: Stage, place: Place) -> None:
    """A sitting baby in a romper, arms out, a tuft of hair on its head."""
    sitter = choose_sitter(stage, place)
    cloth = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    cloth = mix(cloth, WHITE, 0.35) if not place.noun.colours else cloth
    size = place.size
    _paint_shadow(stage, place, 0.42)
    body = _create_layer(stage, place)
    for arm in ("-0.16,0.44 -0.27,0.36 -0.33,0.27", "0.16,0.44 0.28,0.4 0.36,0.46"):
        points = smooth_curve(place.to_canvas_points(*parse_points(arm)))
        body.taper(points, cloth, size * 0.13, size * 0.095)
        body.ellipse((float(points[-1][0]), float(points[-1][1])), size * 0.055, colour=sitter.skin)
    body.poly(
        make_closed_curve(
            place, *parse_points("-0.2,0.06 -0.22,0.26 -0.17,0.46 0,0.52 0.17,0.46 0.22,0.26 0.2,0.06 0,0.02")
        ),
        cloth,
    )
    _inflate(stage, place, body, 0.15)
    stage.canvas.lay(body)
    legs = _create_layer(stage, place)
    for side in (-1, 1):
        leg = smooth_curve(place.to_canvas_points((side * 0.1, 0.12), (side * 0.24, 0.12), (side * 0.34, 0.08)))
        legs.taper(leg, cloth, size * 0.15, size * 0.12)
        legs.ellipse(place.to_canvas(side * 0.1, 0.12), size * 0.075, colour=cloth)
        legs.ellipse(
            place.to_canvas(side * 0.37, 0.1), size * 0.06, size * 0.085, colour=sitter.skin, degrees=side * 18
        )
    _inflate(stage, place, legs, 0.08)
    stage.canvas.lay(legs)
    _paint_baby_head(stage, place, sitter.skin, sitter.hair, sitter.iris)


def _paint_baby_head(stage: Stage, place: Place, skin: Colours, hair: Colours, iris: Colours) -> None:
    size = place.size
    head = _create_layer(stage, place)
    for side in (-1, 1):
        head.ellipse(place.to_canvas(side * 0.225, 0.71), size * 0.04, size * 0.055, colour=shade_colour(skin, 0.92))
    head.poly(
        make_closed_curve(
            place,
            *parse_points(
                "0,0.5 0.14,0.53 0.225,0.66 0.215,0.82 0.12,0.94 0,0.97 -0.12,0.94 -0.215,0.82 -0.225,0.66 -0.14,0.53"
            ),
        ),
        skin,
    )
    _inflate(stage, place, head, 0.2)
    for side in (-1, 1):
        head.ellipse(
            place.to_canvas(side * 0.135, 0.64), size * 0.05, size * 0.036, colour=mix(skin, rgb("#e8787a"), 0.3)
        )
        eye = place.to_canvas(side * 0.085, 0.72)
        head.ellipse(eye, size * 0.036, size * 0.04, colour=mix(WHITE, skin, 0.2))
        head.ellipse(eye, size * 0.027, size * 0.031, colour=iris)
        head.ellipse(eye, size * 0.014, colour=rgb("#120d0c"))
        head.ellipse((eye[0] - size * 0.009, eye[1] - size * 0.011), size * 0.008, colour=WHITE)
        brow = smooth_curve(place.to_canvas_points((side * 0.05, 0.785), (side * 0.09, 0.8), (side * 0.13, 0.787)))
        head.line(brow, mix(skin, hair, 0.6), size * 0.008)
    head.ellipse(place.to_canvas(0, 0.655), size * 0.02, size * 0.014, colour=shade_colour(skin, 0.85))
    head.line(
        smooth_curve(place.to_canvas_points((-0.05, 0.6), (0, 0.58), (0.05, 0.6))),
        mix(skin, rgb("#a8323a"), 0.65),
        size * 0.013,
    )
    for path in ("-0.04,0.96 0.0,1.0 0.05,1.01", "-0.02,0.95 0.04,0.97 0.07,0.94", "-0.06,0.95 -0.05,0.99 0.0,1.02"):
        head.taper(smooth_curve(place.to_canvas_points(*parse_points(path))), hair, size * 0.03, size * 0.008)
    stage.canvas.lay(head)
