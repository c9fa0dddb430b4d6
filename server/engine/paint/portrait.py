"""Portraits: a head and shoulders from the front, built up from back to front like a cut-paper figure.

Coordinates are in heights of the bust: (0, 0) where the picture cuts the chest, (0, 0.95) the crown of the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Point, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, make_gradient, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.sitter import choose_sitter, make_closed_curve
from atelier_mcp.server.engine.paint.stage import parse_points
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas, Layer
    from atelier_mcp.server.engine.paint.sitter import Sitter
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def paint_backdrop(stage: Stage) -> None:
    """The soft wall behind a sitter when no place is named."""
    canvas = stage.canvas
    rng = canvas.make_rng("backdrop")
    tint = get_named_colour(stage.prompt.colours[0]) if stage.prompt.colours else stage.accents[1]
    top, bottom = mix(rgb("#3c4046"), tint, 0.3), mix(rgb("#8a8478"), tint, 0.25)
    canvas.image[:] = make_gradient([top, bottom, shade_colour(top, 0.7)], canvas.height)[:, None]
    strokes = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit / 3, octaves=6)
    canvas.image *= (0.7 + 0.6 * strokes)[..., None]
    canvas.glow((canvas.width * 0.3, canvas.height * 0.3), canvas.unit * 0.4, mix(bottom, WHITE, 0.4), strength=0.4)


def paint_bust(stage: Stage, place: Place) -> None:
    """A head and shoulders; the foot is where the picture cuts the chest, the size the height above it."""
    sitter = choose_sitter(stage, place)
    light = stage.compute_light_direction(place.x, place.y - place.size)
    # From back to front: each part covers the ragged edge of the one before.
    _paint_hair_behind(stage, place, sitter, light)
    _paint_shoulders(stage, place, sitter, light)
    head = _create_layer(stage, place)
    head.poly(
        make_closed_curve(
            place,
            *parse_points(
                "0,0.425 0.1,0.47 0.165,0.58 0.18,0.72 0.15,0.88 0,0.95 -0.15,0.88 -0.18,0.72 -0.165,0.58 -0.1,0.47"
            ),
        ),
        sitter.skin,
    )
    for side in (-1, 1):
        head.ellipse(
            place.to_canvas(side * 0.178, 0.675),
            place.size * 0.022,
            place.size * 0.045,
            colour=shade_colour(sitter.skin, 0.9),
        )
    head.inflate(towards=light, depth=place.size * 0.17, strength=0.42, rim=stage.rim * np.float32(0.7))
    stage.canvas.lay(head)
    _paint_face(stage, place, sitter)
    _paint_hair_before(stage, place, sitter, light)
    if stage.prompt.has("hat"):
        _paint_hat(stage, place, light)


def _create_layer(stage: Stage, place: Place) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - size * 0.75, place.y - size * 1.25, place.x + size * 0.75, place.y + size * 0.05
    )


def _paint_hair_behind(stage: Stage, place: Place, sitter: Sitter, light: Point) -> None:
    layer = _create_layer(stage, place)
    if sitter.long_hair:
        outline = make_closed_curve(
            place,
            *parse_points(
                "0,1.03 0.17,0.98 0.245,0.8 0.25,0.55 0.29,0.3 0.2,0.16 -0.2,0.16 -0.29,0.3 -0.25,0.55 "
                "-0.245,0.8 -0.17,0.98"
            ),
        )
    else:
        outline = make_closed_curve(
            place, *parse_points("0,1.02 0.16,0.97 0.215,0.82 0.2,0.66 -0.2,0.66 -0.215,0.82 -0.16,0.97")
        )
    layer.poly(outline, shade_colour(sitter.hair, 0.85))
    layer.texture(stage.canvas.make_rng("hair behind"), place.size * 0.03, 0.35, stretch=0.25)
    layer.inflate(towards=light, depth=place.size * 0.12, strength=0.5)
    stage.canvas.lay(layer)


def _paint_shoulders(stage: Stage, place: Place, sitter: Sitter, light: Point) -> None:
    neck = _create_layer(stage, place)
    neck.poly(
        place.to_canvas_points(*parse_points("-0.085,0.55 -0.09,0.36 -0.17,0.26 0,0.1 0.17,0.26 0.09,0.36 0.085,0.55")),
        shade_colour(sitter.skin, 0.86),
    )
    # The shadow of the chin.
    neck.gradient(place.to_canvas(0, 0.5), place.to_canvas(0, 0.36), 0.62, 1.0)
    stage.canvas.lay(neck)
    body = _create_layer(stage, place)
    wide = 0.44 if sitter.long_hair else 0.5
    right = smooth_curve(
        place.to_canvas_points((0.115, 0.33), (0.22, 0.285), (wide * 0.82, 0.22), (wide, 0.05), (wide + 0.03, -0.06))
    )
    left = smooth_curve(
        place.to_canvas_points(
            (-wide - 0.03, -0.06), (-wide, 0.05), (-wide * 0.82, 0.22), (-0.22, 0.285), (-0.115, 0.33)
        )
    )
    collar = smooth_curve(place.to_canvas_points((-0.1, 0.28), (0, 0.155 if sitter.long_hair else 0.22), (0.1, 0.28)))
    body.poly(np.concatenate([right, left, collar]), sitter.clothes)
    body.texture(stage.canvas.make_rng("cloth"), place.size * 0.16, 0.22)
    body.inflate(towards=light, depth=place.size * 0.16, strength=0.5, rim=stage.rim * np.float32(0.6))
    body.line(collar, shade_colour(sitter.clothes, 0.6), place.size * 0.012)
    stage.canvas.lay(body)


def _paint_face(stage: Stage, place: Place, sitter: Sitter) -> None:
    """Shadow, cheeks, eyes, nose and mouth on the head, which is there already."""
    side = 1.0 if stage.sun[0] < place.x else -1.0
    shadow = shade_colour(mix(sitter.skin, rgb("#7a3b30"), 0.35), 0.7)
    _paint_side_shadow(stage.canvas, place, shadow, side)
    for cheek in (-1, 1):
        _paint_cheek(stage.canvas, place, sitter, shadow, cheek)
        _paint_eye(stage, place, sitter, cheek)
    _paint_nose(stage.canvas, place, sitter, shadow, side)
    _paint_mouth(stage.canvas, place, sitter, shadow)


def _paint_side_shadow(canvas: Canvas, place: Place, shadow: Colours, side: float) -> None:
    """The half of the face away from the light."""
    canvas.poly(
        make_closed_curve(
            place, (side * 0.02, 0.77), (side * 0.05, 0.6), (side * 0.1, 0.47), (side * 0.17, 0.6), (side * 0.175, 0.74)
        ),
        shadow,
        opacity=0.28,
        blur=place.size * 0.03,
    )


def _paint_cheek(canvas: Canvas, place: Place, sitter: Sitter, shadow: Colours, cheek: int) -> None:
    """The red of a cheek and the hollow of the eye above it."""
    size = place.size
    canvas.ellipse(
        place.to_canvas(cheek * 0.1, 0.6),
        size * 0.045,
        size * 0.035,
        colour=mix(sitter.skin, rgb("#d4584e"), 0.4),
        opacity=0.4,
        blur=size * 0.02,
    )
    canvas.ellipse(
        place.to_canvas(cheek * 0.075, 0.71),
        size * 0.052,
        size * 0.034,
        colour=shadow,
        opacity=0.35,
        blur=size * 0.014,
    )


def _paint_nose(canvas: Canvas, place: Place, sitter: Sitter, shadow: Colours, side: float) -> None:
    size = place.size
    nose = smooth_curve(
        place.to_canvas_points((side * 0.012, 0.7), (side * 0.02, 0.63), (side * 0.03, 0.6), (0, 0.588), (-0.028, 0.6))
    )
    canvas.line(nose, shadow, size * 0.007, opacity=0.55, blur=size * 0.003)
    canvas.ellipse(
        place.to_canvas(-side * 0.006, 0.625),
        size * 0.012,
        size * 0.03,
        colour=mix(sitter.skin, WHITE, 0.5),
        opacity=0.35,
        blur=size * 0.008,
    )


def _paint_mouth(canvas: Canvas, place: Place, sitter: Sitter, shadow: Colours) -> None:
    size = place.size
    lips = mix(sitter.skin, rgb("#a8323a"), 0.55 if sitter.long_hair else 0.3)
    upper = make_closed_curve(
        place, (-0.06, 0.533), (-0.02, 0.551), (0, 0.546), (0.02, 0.551), (0.06, 0.533), (0, 0.53)
    )
    lower = make_closed_curve(place, (-0.058, 0.532), (0, 0.527), (0.058, 0.532), (0.025, 0.508), (-0.025, 0.508))
    canvas.poly(upper, shade_colour(lips, 0.82))
    canvas.poly(lower, lips)
    canvas.line(
        smooth_curve(place.to_canvas_points((-0.06, 0.533), (0, 0.528), (0.06, 0.533))),
        shade_colour(lips, 0.45),
        size * 0.005,
        opacity=0.8,
    )
    canvas.ellipse(place.to_canvas(0, 0.49), size * 0.035, size * 0.01, colour=shadow, opacity=0.4, blur=size * 0.006)


def _paint_eye(stage: Stage, place: Place, sitter: Sitter, side: int) -> None:
    canvas, size = stage.canvas, place.size
    x, up = side * 0.076, 0.695
    white = make_closed_curve(place, (x - 0.04, up - 0.002), (x, up + 0.02), (x + 0.04, up - 0.002), (x, up - 0.015))
    canvas.poly(white, mix(sitter.skin, WHITE, 0.75))
    centre = place.to_canvas(x, up + 0.002)
    canvas.ellipse(centre, size * 0.018, colour=shade_colour(sitter.iris, 0.55))
    canvas.ellipse(centre, size * 0.0145, colour=shade_colour(sitter.iris, 1.1))
    canvas.ellipse(centre, size * 0.0075, colour=rgb("#0b0908"))
    canvas.ellipse((centre[0] - size * 0.005, centre[1] - size * 0.006), size * 0.004, colour=WHITE)
    lid = smooth_curve(place.to_canvas_points((x - 0.042, up - 0.003), (x, up + 0.021), (x + 0.043, up - 0.001)))
    canvas.line(lid, shade_colour(sitter.hair, 0.5), size * (0.009 if sitter.long_hair else 0.006))
    crease = smooth_curve(place.to_canvas_points((x - 0.04, up + 0.016), (x, up + 0.035), (x + 0.042, up + 0.016)))
    canvas.line(crease, shade_colour(sitter.skin, 0.62), size * 0.004, opacity=0.5)
    brow = smooth_curve(
        place.to_canvas_points(
            (x - side * 0.045, up + 0.055), (x + side * 0.005, up + 0.068), (x + side * 0.055, up + 0.05)
        )
    )
    canvas.line(
        brow,
        shade_colour(sitter.hair, 0.8),
        size * (0.011 if sitter.long_hair else 0.015),
        opacity=0.85,
        blur=size * 0.002,
    )


def _paint_hair_before(stage: Stage, place: Place, sitter: Sitter, light: Point) -> None:
    layer = _create_layer(stage, place)
    # The parting is on one side: a head of hair that is its own mirror image looks like a helmet.
    part = float(stage.canvas.make_rng("parting").choice([-0.06, 0.06]))
    if sitter.long_hair:
        right = make_closed_curve(
            place,
            (part, 1.02),
            *parse_points("0.13,0.995 0.22,0.87 0.235,0.66 0.235,0.42 0.185,0.55 0.172,0.74 0.11,0.86"),
        )
        left = make_closed_curve(
            place,
            (part, 1.02),
            *parse_points("-0.13,0.995 -0.22,0.87 -0.235,0.66 -0.235,0.42 -0.185,0.55 -0.172,0.74 -0.11,0.86"),
        )
        layer.poly(right, sitter.hair)
        layer.poly(left, sitter.hair)
    else:
        layer.poly(
            make_closed_curve(
                place,
                *parse_points("-0.19,0.72 -0.215,0.86 -0.14,0.99 0,1.03 0.14,0.99 0.215,0.86 0.19,0.72 0.165,0.82"),
                (part, 0.87),
                (-0.165, 0.82),
            ),
            sitter.hair,
        )
    rng = stage.canvas.make_rng("strands")
    layer.texture(rng, place.size * 0.03, 0.3, stretch=0.3)
    layer.inflate(towards=light, depth=place.size * 0.07, strength=0.55, rim=stage.rim)
    stage.canvas.lay(layer)


def _paint_hat(stage: Stage, place: Place, light: Point) -> None:
    layer = _create_layer(stage, place)
    felt = stage.choose_colour(stage.prompt.find_subject("hat"), 0, rgb("#c9a66b"))
    layer.poly(
        make_closed_curve(place, *parse_points("-0.4,0.87 0,0.9 0.4,0.87 0.3,0.82 0,0.84 -0.3,0.82")),
        shade_colour(felt, 0.8),
    )
    layer.poly(
        make_closed_curve(place, (-0.2, 0.89), (-0.18, 1.06), (0, 1.14), (0.18, 1.06), (0.2, 0.89), (0, 0.87)), felt
    )
    layer.line(
        smooth_curve(place.to_canvas_points((-0.2, 0.91), (0, 0.89), (0.2, 0.91))),
        shade_colour(felt, 0.4),
        place.size * 0.035,
    )
    layer.inflate(towards=light, depth=place.size * 0.1, strength=0.5, rim=stage.rim)
    stage.canvas.lay(layer)
