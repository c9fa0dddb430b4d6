"""Large animals: bear, lion, elephant, cow, sheep; and the duck. Built like the others of `animals`.

As written they look to the right; those of even index are mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.animal_outlines import make_closed_curve, mirror_point, mirror_points
from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours

_DARK: Final = rgb("#1d1718")
_GLINT: Final = rgb("#ffffff")


def _create_layer(stage: Stage, place: Place) -> Layer:
    size = place.size
    return stage.canvas.create_layer(place.x - size, place.y - size * 1.15, place.x + size, place.y + size * 0.1)


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.3)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.14, colour=dark, opacity=0.5, blur=reach * 0.08)


def _shade_coat(stage: Stage, place: Place, layer: Layer, depth: float, *, fur: float = 0.14) -> None:
    towards = stage.compute_light_direction(place.x, place.y - place.size)
    layer.texture(stage.canvas.make_rng(f"coat{place.index}"), place.size * 0.03, fur)
    layer.inflate(towards=towards, depth=place.size * depth, strength=0.6, rim=stage.rim)


def _outline_leg(right: float, half: float, top: float, *, lean: float = 0.0) -> list[Point]:
    """A sturdy leg from its paw to ``top``, ``half`` as wide as the thigh."""
    return [
        (right - half, top),
        (right - half * 0.62 + lean, top * 0.45),
        (right - half * 0.66, 0.05),
        (right - half * 0.6, 0.0),
        (right + half * 0.85, 0.0),
        (right + half * 0.8, 0.06),
        (right + half * 0.55 + lean, 0.14),
        (right + half * 0.6 + lean, top * 0.5),
        (right + half, top),
    ]


def _paint_legs(stage: Stage, place: Place, legs: tuple[tuple[float, float, float], ...], colour: Colours) -> None:
    """Legs in a layer of their own, or shading would melt the far ones into the near ones."""
    layer = _create_layer(stage, place)
    for right, half, top in legs:
        layer.poly(make_closed_curve(place, *_outline_leg(right, half, top)), colour)
    _shade_coat(stage, place, layer, 0.06)
    stage.canvas.lay(layer)


def _paint_eye(place: Place, layer: Layer, right: float, up: float, radius: float) -> None:
    size = place.size
    centre = mirror_point(place, right, up)
    layer.ellipse(centre, size * radius, colour=_DARK)
    layer.ellipse(
        (centre[0] - size * radius * 0.3, centre[1] - size * radius * 0.35), size * radius * 0.3, colour=_GLINT
    )


def paint_bear(stage: Stage, place: Place) -> None:
    """A bear on all fours, its shoulders higher than its rump."""
    fur = stage.choose_colour(place.noun, place.index, rgb(("#6b4528", "#4a3324", "#7d5433")[place.index % 3]))
    _paint_shadow(stage, place, 0.66)
    _paint_legs(stage, place, ((-0.3, 0.13, 0.5), (0.44, 0.12, 0.5)), shade_colour(fur, 0.62))
    body = _create_layer(stage, place)
    trunk = (
        "-0.6,0.34 -0.67,0.52 -0.6,0.72 -0.42,0.82 -0.15,0.83 0.08,0.9 0.28,0.98 0.46,0.9 0.54,0.68 0.48,0.42 "
        "0.3,0.3 0.0,0.27 -0.3,0.29"
    )
    body.poly(make_closed_curve(place, *parse_points(trunk)), fur)
    for right, half in ((-0.48, 0.16), (0.28, 0.14)):
        body.poly(make_closed_curve(place, *_outline_leg(right, half, 0.5)), fur)
    _shade_coat(stage, place, body, 0.2)
    stage.canvas.lay(body)
    _paint_bear_head(stage, place, fur)


def _paint_bear_head(stage: Stage, place: Place, fur: Colours) -> None:
    size = place.size
    head = _create_layer(stage, place)
    for right, up in ((0.5, 0.96), (0.68, 0.98)):
        head.ellipse(mirror_point(place, right, up), size * 0.065, colour=fur)
    head.poly(
        make_closed_curve(
            place, *parse_points("0.42,0.72 0.44,0.9 0.58,0.98 0.74,0.92 0.8,0.8 0.76,0.64 0.6,0.58 0.48,0.62")
        ),
        fur,
    )
    muzzle = mix(fur, rgb("#d8b88e"), 0.45)
    head.poly(make_closed_curve(place, *parse_points("0.7,0.8 0.86,0.78 0.92,0.7 0.86,0.62 0.7,0.6 0.64,0.7")), muzzle)
    _shade_coat(stage, place, head, 0.12)
    for right, up in ((0.5, 0.965), (0.68, 0.985)):
        head.ellipse(mirror_point(place, right, up), size * 0.034, colour=shade_colour(fur, 0.6))
    head.ellipse(mirror_point(place, 0.895, 0.755), size * 0.042, size * 0.033, colour=_DARK)
    mouth = smooth_curve(mirror_points(place, "0.89,0.7 0.84,0.655 0.75,0.66"))
    head.line(mouth, shade_colour(fur, 0.35), size * 0.008)
    _paint_eye(place, head, 0.69, 0.835, 0.022)
    stage.canvas.lay(head)


def paint_lion(stage: Stage, place: Place) -> None:
    """A standing lion, its face with the mane turned to the viewer."""
    fur = stage.choose_colour(place.noun, place.index, rgb("#c9954e"))
    mane = stage.mood.apply_light(rgb("#7a4320")) if not place.noun.colours else shade_colour(fur, 0.55)
    size = place.size
    _paint_shadow(stage, place, 0.62)
    tail = _create_layer(stage, place)
    curve = smooth_curve(mirror_points(place, "-0.5,0.6 -0.68,0.55 -0.76,0.36 -0.7,0.2 -0.76,0.12"))
    tail.taper(curve, fur, size * 0.05, size * 0.032)
    tail.ellipse(mirror_point(place, -0.76, 0.11), size * 0.05, size * 0.07, colour=mane, degrees=20)
    _shade_coat(stage, place, tail, 0.04)
    stage.canvas.lay(tail)
    _paint_legs(stage, place, ((-0.3, 0.085, 0.42), (0.36, 0.08, 0.44)), shade_colour(fur, 0.66))
    body = _create_layer(stage, place)
    trunk = "-0.52,0.4 -0.56,0.56 -0.46,0.68 -0.1,0.68 0.2,0.72 0.42,0.66 0.46,0.44 0.3,0.32 -0.05,0.34 -0.34,0.36"
    body.poly(make_closed_curve(place, *parse_points(trunk)), fur)
    for right, half in ((-0.45, 0.105), (0.24, 0.09)):
        body.poly(make_closed_curve(place, *_outline_leg(right, half, 0.46)), fur)
    _shade_coat(stage, place, body, 0.15)
    stage.canvas.lay(body)
    _paint_lion_head(stage, place, fur, mane)


def _paint_lion_head(stage: Stage, place: Place, fur: Colours, mane: Colours) -> None:
    size = place.size
    rng = stage.canvas.make_rng(f"mane{place.index}")
    ruff = _create_layer(stage, place)
    centre = (0.36, 0.76)
    for ring, (reach, tone) in enumerate(((0.24, 0.8), (0.18, 1.0), (0.13, 1.18))):
        for angle in np.arange(0, 360, 18) + 9 * ring:
            lean = float(np.radians(angle + rng.uniform(-4, 4)))
            spot = mirror_point(place, centre[0] + np.cos(lean) * reach, centre[1] + np.sin(lean) * reach * 1.08)
            turn = -float(np.degrees(lean)) if place.index % 2 else float(np.degrees(lean)) - 180
            ruff.ellipse(
                spot, size * 0.105, size * 0.05, colour=shade_colour(mane, tone * rng.uniform(0.9, 1.1)), degrees=turn
            )
    _shade_coat(stage, place, ruff, 0.1, fur=0.22)
    stage.canvas.lay(ruff)
    face = _create_layer(stage, place)
    for ear in (-1, 1):
        face.ellipse(mirror_point(place, centre[0] + ear * 0.13, 0.93), size * 0.045, colour=fur)
    outline = "0.22,0.8 0.27,0.91 0.36,0.94 0.45,0.91 0.5,0.8 0.47,0.68 0.42,0.6 0.36,0.58 0.3,0.6 0.25,0.68"
    face.poly(make_closed_curve(place, *parse_points(outline)), fur)
    _shade_coat(stage, place, face, 0.09)
    _paint_lion_face(place, face, fur, centre[0])
    stage.canvas.lay(face)


def _paint_lion_face(place: Place, face: Layer, fur: Colours, middle: float) -> None:
    size = place.size
    pale = mix(fur, rgb("#f3e6cf"), 0.6)
    for side in (-1, 1):
        face.ellipse(mirror_point(place, middle + side * 0.036, 0.655), size * 0.048, size * 0.038, colour=pale)
        face.ellipse(mirror_point(place, middle + side * 0.072, 0.8), size * 0.03, size * 0.022, colour=rgb("#e2a93a"))
        _paint_eye(place, face, middle + side * 0.072, 0.8, 0.014)
        brow = smooth_curve(
            [
                mirror_point(place, middle + side * 0.035, 0.825),
                mirror_point(place, middle + side * 0.075, 0.84),
                mirror_point(place, middle + side * 0.11, 0.82),
            ]
        )
        face.line(brow, shade_colour(fur, 0.5), size * 0.01)
    face.ellipse(mirror_point(place, middle, 0.612), size * 0.034, size * 0.02, colour=pale)
    nose = make_closed_curve(place, (middle - 0.036, 0.715), (middle + 0.036, 0.715), (middle, 0.675))
    face.poly(nose, mix(_DARK, rgb("#a5615a"), 0.45))
    for side in (-1, 1):
        bridge = smooth_curve(
            [mirror_point(place, middle + side * 0.045, 0.79), mirror_point(place, middle + side * 0.032, 0.72)]
        )
        face.line(bridge, shade_colour(fur, 0.72), size * 0.008)
        mouth = smooth_curve(
            [
                mirror_point(place, middle, 0.678),
                mirror_point(place, middle + side * 0.012, 0.645),
                mirror_point(place, middle + side * 0.055, 0.632),
            ]
        )
        face.line(mouth, shade_colour(fur, 0.3), size * 0.008)


def paint_elephant(stage: Stage, place: Place) -> None:
    """An elephant with its trunk hanging, the ear over its shoulder."""
    hide = stage.choose_colour(place.noun, place.index, rgb("#8b8a8e"))
    size = place.size
    _paint_shadow(stage, place, 0.72)
    _paint_legs(stage, place, ((-0.32, 0.125, 0.46), (0.3, 0.12, 0.46)), shade_colour(hide, 0.6))
    body = _create_layer(stage, place)
    tail = smooth_curve(mirror_points(place, "-0.62,0.72 -0.72,0.58 -0.7,0.36"))
    body.taper(tail, shade_colour(hide, 0.8), size * 0.04, size * 0.018)
    trunk = (
        "-0.6,0.38 -0.67,0.6 -0.58,0.82 -0.36,0.93 -0.05,0.96 0.22,0.92 0.36,0.8 0.38,0.5 0.26,0.34 -0.1,0.3 -0.4,0.31"
    )
    body.poly(make_closed_curve(place, *parse_points(trunk)), hide)
    for right, half in ((-0.48, 0.15), (0.16, 0.14)):
        body.poly(make_closed_curve(place, *_outline_leg(right, half, 0.48)), hide)
    _shade_coat(stage, place, body, 0.22, fur=0.08)
    for right in (-0.54, -0.48, -0.42, 0.11, 0.17, 0.23):
        body.ellipse(mirror_point(place, right, 0.018), size * 0.024, size * 0.016, colour=mix(hide, _GLINT, 0.45))
    stage.canvas.lay(body)
    _paint_elephant_head(stage, place, hide)


def _paint_elephant_head(stage: Stage, place: Place, hide: Colours) -> None:
    size = place.size
    head = _create_layer(stage, place)
    hanging = smooth_curve(mirror_points(place, "0.6,0.74 0.74,0.6 0.77,0.36 0.71,0.16 0.78,0.07 0.87,0.1"))
    head.taper(hanging, hide, size * 0.2, size * 0.07)
    skull = "0.28,0.72 0.3,0.9 0.44,1.02 0.58,1.0 0.68,0.88 0.69,0.72 0.6,0.58 0.42,0.54"
    head.poly(make_closed_curve(place, *parse_points(skull)), hide)
    _shade_coat(stage, place, head, 0.13, fur=0.08)
    for along in (10, 14, 18, 22, 26):
        x, y = (float(part) for part in hanging[along])
        head.line([(x - size * 0.05, y), (x + size * 0.05, y + size * 0.01)], shade_colour(hide, 0.72), size * 0.007)
    _paint_eye(place, head, 0.57, 0.82, 0.02)
    tusk = smooth_curve(mirror_points(place, "0.6,0.6 0.7,0.51 0.86,0.52"))
    head.taper(tusk, stage.mood.apply_light(rgb("#f3ead6")), size * 0.06, size * 0.012)
    stage.canvas.lay(head)
    ear = _create_layer(stage, place)
    flap = "0.4,0.92 0.28,0.97 0.12,0.9 0.06,0.72 0.12,0.54 0.24,0.44 0.36,0.52 0.42,0.7"
    ear.poly(make_closed_curve(place, *parse_points(flap)), shade_colour(hide, 0.9))
    _shade_coat(stage, place, ear, 0.1, fur=0.08)
    fold = make_closed_curve(
        place, *parse_points("0.35,0.86 0.25,0.89 0.15,0.82 0.13,0.7 0.19,0.58 0.28,0.58 0.34,0.7")
    )
    ear.poly(fold, mix(shade_colour(hide, 0.82), rgb("#b08a86"), 0.3))
    stage.canvas.lay(ear)


def paint_cow(stage: Stage, place: Place) -> None:
    """A standing cow with patches, horns and an udder."""
    own = bool(place.noun.colours)
    coat = stage.choose_colour(place.noun, place.index, rgb(("#f2ece2", "#8d5a36", "#ece4d6")[place.index % 3]))
    is_pale = float(coat.mean()) > 0.45
    patch = shade_colour(coat, 0.62) if own else stage.mood.apply_light(rgb("#2b2526" if is_pale else "#f0e6d8"))
    size = place.size
    _paint_shadow(stage, place, 0.68)
    _paint_legs(stage, place, ((-0.4, 0.08, 0.46), (0.3, 0.075, 0.46)), shade_colour(coat, 0.62))
    body = _create_layer(stage, place)
    tail = smooth_curve(mirror_points(place, "-0.62,0.82 -0.72,0.7 -0.72,0.42"))
    body.taper(tail, coat, size * 0.035, size * 0.022)
    body.ellipse(mirror_point(place, -0.72, 0.36), size * 0.035, size * 0.075, colour=patch)
    body.ellipse(mirror_point(place, -0.28, 0.34), size * 0.11, size * 0.075, colour=mix(coat, rgb("#e39a98"), 0.7))
    trunk = (
        "-0.6,0.5 -0.64,0.74 -0.56,0.86 -0.2,0.85 0.1,0.86 0.36,0.9 0.5,0.86 "
        "0.5,0.62 0.4,0.44 0.1,0.38 -0.3,0.4 -0.5,0.42"
    )
    body.poly(make_closed_curve(place, *parse_points(trunk)), coat)
    for right, half in ((-0.53, 0.09), (0.38, 0.08)):
        body.poly(make_closed_curve(place, *_outline_leg(right, half, 0.5)), coat)
    for path in (
        "-0.56,0.62 -0.58,0.78 -0.44,0.84 -0.3,0.8 -0.34,0.64 -0.46,0.56",
        "-0.12,0.6 -0.16,0.76 0.0,0.84 0.16,0.8 0.14,0.62 0.02,0.52",
        "0.3,0.66 0.28,0.84 0.4,0.88 0.48,0.8 0.46,0.66 0.38,0.58",
    ):
        body.poly(make_closed_curve(place, *parse_points(path)), patch)
    _shade_coat(stage, place, body, 0.17, fur=0.08)
    for right, top in ((-0.53, 0.05), (0.38, 0.05)):
        body.poly(
            make_closed_curve(place, (right - 0.055, 0), (right - 0.05, top), (right + 0.055, top), (right + 0.06, 0)),
            _DARK,
        )
    stage.canvas.lay(body)
    _paint_cow_head(stage, place, coat, patch)


def _paint_cow_head(stage: Stage, place: Place, coat: Colours, patch: Colours) -> None:
    size = place.size
    horn = stage.mood.apply_light(rgb("#e8dcc0"))
    head = _create_layer(stage, place)
    head.poly(make_closed_curve(place, *parse_points("0.38,0.88 0.56,0.94 0.62,0.74 0.52,0.56 0.42,0.6")), coat)
    for path in ("0.6,0.98 0.56,1.06 0.63,1.12", "0.7,0.98 0.76,1.05 0.72,1.12"):
        head.taper(smooth_curve(mirror_points(place, path)), horn, size * 0.05, size * 0.012)
    head.poly(
        make_closed_curve(place, *parse_points("0.56,0.94 0.42,0.98 0.38,0.9 0.52,0.87")), shade_colour(coat, 0.85)
    )
    head.poly(
        make_closed_curve(
            place,
            *parse_points("0.52,0.96 0.62,1.02 0.74,0.98 0.8,0.84 0.88,0.68 0.84,0.58 0.74,0.58 0.62,0.7 0.52,0.82"),
        ),
        coat,
    )
    head.poly(make_closed_curve(place, *parse_points("0.55,0.94 0.64,0.99 0.68,0.88 0.62,0.78 0.54,0.84")), patch)
    _shade_coat(stage, place, head, 0.1, fur=0.08)
    snout = make_closed_curve(place, *parse_points("0.72,0.66 0.8,0.72 0.9,0.68 0.88,0.58 0.8,0.54 0.72,0.57"))
    head.poly(snout, mix(coat, rgb("#e0a09c"), 0.7))
    head.ellipse(mirror_point(place, 0.86, 0.645), size * 0.014, size * 0.01, colour=_DARK)
    mouth = smooth_curve(mirror_points(place, "0.87,0.59 0.81,0.575 0.75,0.59"))
    head.line(mouth, shade_colour(coat, 0.45), size * 0.007)
    _paint_eye(place, head, 0.7, 0.87, 0.02)
    stage.canvas.lay(head)


def paint_sheep(stage: Stage, place: Place) -> None:
    """A sheep: a cloud of wool on dark legs."""
    wool = stage.choose_colour(place.noun, place.index, rgb("#efe8da"))
    skin = stage.mood.apply_light(rgb("#3a3234"))
    size = place.size
    rng = stage.canvas.make_rng(f"wool{place.index}")
    _paint_shadow(stage, place, 0.55)
    legs = _create_layer(stage, place)
    for right, tone in ((-0.24, 0.7), (0.26, 0.7), (-0.36, 1.0), (0.16, 1.0)):
        top, foot = mirror_point(place, right, 0.4), mirror_point(place, right, 0.0)
        legs.taper([top, foot], shade_colour(skin, tone), size * 0.085, size * 0.065)
    stage.canvas.lay(legs)
    fleece = _create_layer(stage, place)
    for index in range(54):
        angle, out = index * 2.39996, np.sqrt((index + 0.5) / 54)
        spot = mirror_point(place, -0.07 + float(np.cos(angle) * out) * 0.44, 0.56 + float(np.sin(angle) * out) * 0.25)
        fleece.ellipse(spot, size * rng.uniform(0.085, 0.115), colour=shade_colour(wool, rng.uniform(0.9, 1.03)))
    fleece.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size), depth=size * 0.16, strength=0.5, rim=stage.rim
    )
    for _ in range(16):
        x, y = mirror_point(place, float(rng.uniform(-0.42, 0.28)), float(0.56 + rng.uniform(-0.17, 0.2)))
        arc = np.linspace(0.2, 2.9, 8)
        curl = np.stack([x + np.cos(arc) * size * 0.045, y - np.sin(arc) * size * 0.035], axis=1)
        fleece.line(curl, shade_colour(wool, 0.82), size * 0.008)
    stage.canvas.lay(fleece)
    _paint_sheep_head(stage, place, wool, skin)


def _paint_sheep_head(stage: Stage, place: Place, wool: Colours, skin: Colours) -> None:
    size = place.size
    head = _create_layer(stage, place)
    head.poly(
        make_closed_curve(place, *parse_points("0.42,0.78 0.3,0.8 0.24,0.72 0.32,0.68 0.42,0.72")),
        shade_colour(skin, 0.8),
    )
    head.poly(
        make_closed_curve(
            place, *parse_points("0.38,0.74 0.42,0.86 0.54,0.88 0.62,0.76 0.68,0.62 0.62,0.55 0.52,0.58 0.42,0.66")
        ),
        skin,
    )
    head.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size), depth=size * 0.09, strength=0.6, rim=stage.rim
    )
    for right, up, radius in ((0.4, 0.85, 0.07), (0.48, 0.9, 0.075), (0.56, 0.87, 0.055)):
        head.ellipse(mirror_point(place, right, up), size * radius, colour=wool)
    eye = mirror_point(place, 0.53, 0.76)
    head.ellipse(eye, size * 0.028, size * 0.024, colour=rgb("#e9dfb9"))
    head.ellipse(eye, size * 0.013, colour=_DARK)
    head.line(smooth_curve(mirror_points(place, "0.655,0.6 0.61,0.6 0.57,0.62")), shade_colour(skin, 2.2), size * 0.007)
    stage.canvas.lay(head)


def paint_duck(stage: Stage, place: Place) -> None:
    """A resting or swimming duck with an orange bill."""
    plumage = stage.choose_colour(place.noun, place.index, rgb(("#f4d24a", "#8a6d4c", "#f3efe6")[place.index % 3]))
    size = place.size
    bill = stage.mood.apply_light(rgb("#ee8a2a"))
    _paint_shadow(stage, place, 0.56)
    body = _create_layer(stage, place)
    hull = "-0.66,0.5 -0.5,0.44 -0.2,0.47 0.1,0.46 0.34,0.5 0.5,0.36 0.46,0.16 0.24,0.02 -0.16,0.0 -0.44,0.1 -0.58,0.28"
    body.poly(make_closed_curve(place, *parse_points(hull)), plumage)
    _shade_coat(stage, place, body, 0.2, fur=0.06)
    stage.canvas.lay(body)
    head = _create_layer(stage, place)
    head.poly(
        make_closed_curve(place, *parse_points("0.22,0.4 0.22,0.66 0.3,0.76 0.44,0.72 0.46,0.5 0.42,0.36")), plumage
    )
    head.ellipse(mirror_point(place, 0.34, 0.8), size * 0.19, size * 0.18, colour=plumage)
    _shade_coat(stage, place, head, 0.14, fur=0.06)
    upper = make_closed_curve(place, *parse_points("0.48,0.84 0.58,0.82 0.72,0.78 0.74,0.74 0.6,0.74 0.49,0.74"))
    head.poly(
        make_closed_curve(place, *parse_points("0.49,0.76 0.6,0.75 0.68,0.73 0.6,0.69 0.5,0.7")),
        shade_colour(bill, 0.75),
    )
    head.poly(upper, bill)
    _paint_eye(place, head, 0.41, 0.85, 0.03)
    stage.canvas.lay(head)
    wing = _create_layer(stage, place)
    wing.poly(
        make_closed_curve(place, *parse_points("0.16,0.4 -0.1,0.44 -0.36,0.4 -0.56,0.34 -0.4,0.2 -0.1,0.14 0.12,0.22")),
        shade_colour(plumage, 0.9),
    )
    _shade_coat(stage, place, wing, 0.12, fur=0.06)
    for path in ("-0.52,0.33 -0.3,0.24 -0.08,0.22", "-0.46,0.27 -0.24,0.19 -0.02,0.19"):
        wing.line(smooth_curve(mirror_points(place, path)), shade_colour(plumage, 0.62), size * 0.012)
    stage.canvas.lay(wing)
