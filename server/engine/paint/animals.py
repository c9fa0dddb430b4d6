"""Animals: silhouettes with rounded shading, fur and a rim of light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Point, smooth_curve
from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours

_NOSE: Final = rgb("#2a2024")


def _create_layer(stage: Stage, place: Place, half: float = 0.75) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - size * 1.1, place.x + half * size, place.y + size * 0.1
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    stage.canvas.ellipse(
        (place.x, place.y),
        reach,
        reach * 0.18,
        colour=stage.mood.shade * np.float32(0.3),
        opacity=0.5,
        blur=reach * 0.1,
    )


def _make_closed_curve(place: Place, *points: Point) -> list[Point]:
    """A smooth closed outline through points of the animal; it looks right when index is odd, left otherwise."""
    side = 1.0 if place.index % 2 else -1.0
    curve = smooth_curve([place.to_canvas(side * right, up) for right, up in points], closed=True)
    return [(float(x), float(y)) for x, y in curve]


def _mirror_point(place: Place, right: float, up: float) -> Point:
    return place.to_canvas(right if place.index % 2 else -right, up)


def _shade_fur(stage: Stage, place: Place, layer: Layer, depth: float) -> None:
    towards = stage.compute_light_direction(place.x, place.y - place.size)
    layer.texture(stage.canvas.make_rng(f"fur{place.index}"), place.size * 0.03, 0.16)
    layer.inflate(towards=towards, depth=place.size * depth, strength=0.6, rim=stage.rim)


def _shift_points(path: str, right: float) -> list[Point]:
    """The points of a path, moved to the right."""
    return [(x + right, y) for x, y in parse_points(path)]


def _mirror_points(place: Place, path: str) -> list[Point]:
    """The points of a path as places of the animal, not closed."""
    return [_mirror_point(place, right, up) for right, up in parse_points(path)]


def paint_cat(stage: Stage, place: Place) -> None:
    """A sitting cat, its tail around it."""
    fur = stage.choose_colour(
        place.noun, place.index, rgb(("#6e5a4b", "#c98b4e", "#3b3638", "#d9d2c7")[place.index % 4])
    )
    _paint_shadow(stage, place, 0.4)
    _paint_cat_tail(stage, place, fur)
    _paint_cat_body(stage, place, fur)
    _paint_cat_head(stage, place, fur)


def _paint_cat_tail(stage: Stage, place: Place, fur: Colours) -> None:
    tail = _create_layer(stage, place)
    curve = smooth_curve(_mirror_points(place, "-0.2,0.06 -0.42,0.05 -0.5,0.2 -0.42,0.36 -0.46,0.46"))
    tail.taper(curve, fur, place.size * 0.085, place.size * 0.045)
    tail.ellipse(_mirror_point(place, -0.46, 0.46), place.size * 0.023, colour=fur)
    _shade_fur(stage, place, tail, 0.04)
    stage.canvas.lay(tail)


def _paint_cat_body(stage: Stage, place: Place, fur: Colours) -> None:
    body = _create_layer(stage, place)
    back = parse_points("-0.26,0.0 -0.31,0.14 -0.24,0.36 -0.1,0.56 0.08,0.62 0.19,0.5 0.21,0.3 0.2,0.0")
    haunch = parse_points("-0.3,0.1 -0.24,0.27 -0.06,0.26 -0.02,0.06 -0.1,-0.01 -0.28,0.0")
    body.poly(_make_closed_curve(place, *back), fur)
    body.poly(_make_closed_curve(place, *haunch), shade_colour(fur, 1.06))
    for right in (0.07, 0.17):
        leg = _shift_points("-0.045,0.3 -0.04,0.03 -0.05,-0.015 0.06,-0.015 0.045,0.05 0.05,0.3", right)
        body.poly(_make_closed_curve(place, *leg), fur)
    _shade_fur(stage, place, body, 0.17)
    for right in (0.05, 0.12, 0.165):
        body.line(
            [_mirror_point(place, right, 0.0), _mirror_point(place, right, 0.035)],
            shade_colour(fur, 0.5),
            place.size * 0.006,
        )
    stage.canvas.lay(body)


def _paint_cat_head(stage: Stage, place: Place, fur: Colours) -> None:
    head = _create_layer(stage, place)
    for ear in (-1, 1):
        centre = 0.08 + ear * 0.12
        head.poly(
            _make_closed_curve(place, (centre - 0.065, 0.76), (centre + ear * 0.05, 0.99), (centre + 0.07, 0.76)), fur
        )
    skull = parse_points("-0.14,0.68 -0.1,0.82 0.08,0.86 0.26,0.82 0.3,0.68 0.2,0.56 0.08,0.53 -0.04,0.56")
    head.poly(_make_closed_curve(place, *skull), fur)
    _shade_fur(stage, place, head, 0.13)
    for ear in (-1, 1):
        centre = 0.08 + ear * 0.125
        inside = _make_closed_curve(place, (centre - 0.03, 0.8), (centre + ear * 0.035, 0.93), (centre + 0.035, 0.8))
        head.poly(inside, mix(fur, rgb("#d58f8c"), 0.5))
    _paint_cat_face(stage, place, head, fur, 1.0 if place.index % 2 else -1.0)
    stage.canvas.lay(head)


def _paint_cat_face(stage: Stage, place: Place, head: Layer, fur: Colours, side: float) -> None:
    size = place.size
    eyes = stage.prompt.find_subject("eyes")
    iris = get_named_colour(eyes.colours[0]) if eyes and eyes.colours else rgb("#e0b53c")
    muzzle = mix(fur, rgb("#e9dfd2"), 0.28)
    for offset in (-0.035, 0.035):
        head.ellipse(_mirror_point(place, 0.08 + offset, 0.6), size * 0.045, size * 0.034, colour=muzzle)
    for offset in (-0.085, 0.085):
        centre = _mirror_point(place, 0.08 + offset, 0.695)
        head.ellipse(centre, size * 0.041, size * 0.034, colour=shade_colour(fur, 0.35), degrees=side * offset * 120)
        head.ellipse(centre, size * 0.035, size * 0.029, colour=iris)
        head.ellipse(centre, size * 0.011, size * 0.026, colour=rgb("#0d0b0c"))
        head.ellipse((centre[0] - size * 0.01, centre[1] - size * 0.012), size * 0.007, colour=rgb("#ffffff"))
    head.poly(_make_closed_curve(place, (0.055, 0.635), (0.105, 0.635), (0.08, 0.608)), mix(_NOSE, rgb("#b36a6a"), 0.6))
    for offset in (-1, 1):
        mouth = smooth_curve(
            [
                _mirror_point(place, 0.08, 0.61),
                _mirror_point(place, 0.08 + offset * 0.02, 0.585),
                _mirror_point(place, 0.08 + offset * 0.05, 0.588),
            ]
        )
        head.line(mouth, shade_colour(fur, 0.3), size * 0.005)
        for lift in (-0.025, 0.0, 0.025):
            whisker = smooth_curve(
                [
                    _mirror_point(place, 0.08 + offset * 0.06, 0.6 + lift * 0.3),
                    _mirror_point(place, 0.08 + offset * 0.25, 0.605 + lift * 1.4),
                ]
            )
            head.line(whisker, mix(fur, rgb("#f3eee6"), 0.65), size * 0.0022)


class _Build(NamedTuple):
    """What tells a dog from a fox."""

    snout: float
    legs: float
    tail: float
    bushy: bool
    pointed_ears: bool
    white_tips: bool = False


_DOG: Final = _Build(snout=0.13, legs=0.3, tail=0.09, bushy=False, pointed_ears=False)
_FOX: Final = _Build(snout=0.15, legs=0.26, tail=0.2, bushy=True, pointed_ears=True, white_tips=True)
_WOLF: Final = _Build(snout=0.16, legs=0.32, tail=0.13, bushy=True, pointed_ears=True)


def paint_dog(stage: Stage, place: Place) -> None:
    """A standing dog in profile."""
    fur = stage.choose_colour(
        place.noun, place.index, rgb(("#b5834f", "#6d4a35", "#d8c8ae", "#3a3434")[place.index % 4])
    )
    _paint_four_legged(stage, place, fur, _DOG)


def paint_fox(stage: Stage, place: Place) -> None:
    """A standing fox with a full tail, white at its tip and throat."""
    _paint_four_legged(stage, place, stage.choose_colour(place.noun, place.index, rgb("#cf6a2b")), _FOX)


def paint_wolf(stage: Stage, place: Place) -> None:
    """A standing wolf, leggier than a fox, its tail held low."""
    _paint_four_legged(stage, place, stage.choose_colour(place.noun, place.index, rgb("#7c7a7c")), _WOLF)


def _paint_four_legged(stage: Stage, place: Place, fur: Colours, build: _Build) -> None:
    _paint_shadow(stage, place, 0.5)
    far = _create_layer(stage, place)
    for right in (-0.3, 0.2):
        far.poly(_make_closed_curve(place, *_outline_shank(right, 0.06, build.legs)), shade_colour(fur, 0.6))
    stage.canvas.lay(far)
    layer = _create_layer(stage, place)
    _paint_dog_tail(place, layer, fur, build)
    back = parse_points("-0.42,0.48 -0.38,0.6 -0.1,0.6 0.16,0.62 0.3,0.7 0.36,0.5")
    belly = [
        (0.26, build.legs + 0.02),
        (0.0, build.legs + 0.06),
        (-0.26, build.legs + 0.08),
        (-0.42, build.legs + 0.02),
    ]
    layer.poly(_make_closed_curve(place, *back, *belly), fur)
    for right, thick in ((-0.38, 0.085), (0.28, 0.065)):
        layer.poly(_make_closed_curve(place, *_outline_shank(right, thick, build.legs)), fur)
    _shade_fur(stage, place, layer, 0.13)
    stage.canvas.lay(layer)
    _paint_dog_head(stage, place, fur, build)


def _outline_shank(right: float, thick: float, legs: float) -> list[Point]:
    """A leg: wide at the body, narrow below the knee, a paw at the foot."""
    paw = _shift_points("-0.035,0.03 -0.03,-0.01 0.07,-0.01 0.035,0.05", right)
    knee = legs * 0.5
    return [
        (right - thick, legs + 0.16),
        (right - 0.045, knee),
        *paw,
        (right + 0.04, knee),
        (right + thick, legs + 0.16),
    ]


def _paint_dog_tail(place: Place, layer: Layer, fur: Colours, build: _Build) -> None:
    size = place.size
    if not build.bushy:
        curl = smooth_curve(_mirror_points(place, "-0.38,0.52 -0.54,0.56 -0.64,0.7 -0.62,0.8"))
        layer.taper(curl, fur, size * build.tail, size * 0.03)
        return
    curl = smooth_curve(_mirror_points(place, "-0.36,0.5 -0.52,0.42 -0.62,0.26 -0.6,0.1"))
    middle = len(curl) // 2
    layer.taper(curl[: middle + 1], fur, size * 0.07, size * build.tail)
    layer.taper(curl[middle:], fur, size * build.tail, size * 0.03)


def _paint_dog_head(stage: Stage, place: Place, fur: Colours, build: _Build) -> None:
    head = _create_layer(stage, place)
    tip = 0.5 + build.snout
    muzzle = [(0.5 + build.snout * 0.3, 0.78), (tip, 0.74), (tip, 0.67)]
    skull = parse_points("0.2,0.62 0.18,0.82 0.3,0.92 0.44,0.88")
    head.poly(_make_closed_curve(place, *skull, *muzzle, (0.44, 0.65), (0.36, 0.56)), fur)
    if build.pointed_ears:
        head.poly(_make_closed_curve(place, (0.2, 0.84), (0.2, 1.04), (0.33, 0.9)), shade_colour(fur, 0.85))
        head.poly(_make_closed_curve(place, (0.3, 0.88), (0.34, 1.05), (0.42, 0.88)), fur)
    _shade_fur(stage, place, head, 0.1)
    _paint_dog_details(place, head, fur, build)
    if build.white_tips:
        white = stage.mood.apply_light(rgb("#f4eadb"))
        head.poly(_make_closed_curve(place, (0.32, 0.62), (0.42, 0.7), (tip, 0.69), (0.48, 0.655), (0.38, 0.57)), white)
        brush = _create_layer(stage, place)
        brush.ellipse(_mirror_point(place, -0.6, 0.12), place.size * 0.035, place.size * 0.075, colour=white)
        stage.canvas.lay(brush, blur=place.size * 0.008)
    stage.canvas.lay(head)


def _paint_dog_details(place: Place, head: Layer, fur: Colours, build: _Build) -> None:
    size, snout = place.size, build.snout
    if not build.pointed_ears:
        head.poly(
            _make_closed_curve(place, (0.2, 0.88), (0.3, 0.88), (0.31, 0.7), (0.24, 0.6), (0.17, 0.68)),
            shade_colour(fur, 0.62),
        )
    eye = _mirror_point(place, 0.41, 0.82)
    head.ellipse(eye, size * 0.019, colour=rgb("#120d0c"))
    head.ellipse((eye[0] - size * 0.005, eye[1] - size * 0.006), size * 0.005, colour=rgb("#ffffff"))
    head.ellipse(_mirror_point(place, 0.5 + snout * 0.95, 0.735), size * 0.026, size * 0.021, colour=_NOSE)
    mouth = smooth_curve(
        [
            _mirror_point(place, 0.5 + snout * 0.9, 0.69),
            _mirror_point(place, 0.5, 0.672),
            _mirror_point(place, 0.44, 0.685),
        ]
    )
    head.line(mouth, shade_colour(fur, 0.4), size * 0.006)


def paint_horse(stage: Stage, place: Place) -> None:
    """A standing horse in profile with mane and tail."""
    coat = stage.choose_colour(
        place.noun, place.index, rgb(("#7b4a2d", "#a9713f", "#4a3429", "#cfc3b2")[place.index % 4])
    )
    mane = shade_colour(coat, 0.4) if float(coat.mean()) > 0.12 else mix(coat, rgb("#5a5560"), 0.3)
    size = place.size
    _paint_shadow(stage, place, 0.45)
    layer = _create_layer(stage, place)
    for right in (-0.22, 0.18):
        layer.poly(_outline_leg(place, right), shade_colour(coat, 0.62))
    tail = smooth_curve(
        [
            _mirror_point(place, -0.36, 0.6),
            _mirror_point(place, -0.48, 0.5),
            _mirror_point(place, -0.47, 0.3),
            _mirror_point(place, -0.5, 0.16),
        ]
    )
    layer.taper(tail, mane, size * 0.05, size * 0.07)
    layer.poly(
        _make_closed_curve(
            place,
            *parse_points(
                "-0.38,0.5 -0.36,0.63 -0.2,0.66 0.0,0.62 0.18,0.66 0.28,0.6 0.3,0.46 0.18,0.38 -0.05,0.36 "
                "-0.22,0.38 -0.34,0.4"
            ),
        ),
        coat,
    )
    layer.poly(
        _make_closed_curve(
            place, *parse_points("0.1,0.62 0.26,0.84 0.36,0.98 0.46,0.94 0.44,0.82 0.37,0.7 0.29,0.48 0.16,0.46")
        ),
        coat,
    )
    layer.poly(
        _make_closed_curve(
            place, *parse_points("0.33,0.9 0.37,1.0 0.46,0.95 0.56,0.8 0.61,0.72 0.57,0.67 0.5,0.71 0.41,0.8")
        ),
        coat,
    )
    layer.poly(_make_closed_curve(place, (0.355, 0.96), (0.365, 1.055), (0.41, 0.985)), coat)
    for right in (-0.3, 0.24):
        layer.poly(_outline_leg(place, right), coat)
    _shade_fur(stage, place, layer, 0.12)
    layer.poly(
        _make_closed_curve(
            place, *parse_points("0.36,1.02 0.28,0.94 0.17,0.76 0.07,0.63 0.14,0.61 0.24,0.72 0.34,0.9")
        ),
        mane,
    )
    eye = _mirror_point(place, 0.45, 0.885)
    layer.ellipse(eye, size * 0.013, colour=rgb("#120d0c"))
    layer.ellipse(_mirror_point(place, 0.585, 0.715), size * 0.008, colour=shade_colour(coat, 0.35))
    stage.canvas.lay(layer)


def _outline_leg(place: Place, right: float) -> list[Point]:
    return _make_closed_curve(
        place,
        (right - 0.06, 0.5),
        (right - 0.045, 0.36),
        (right - 0.025, 0.22),
        (right - 0.025, 0.06),
        (right - 0.035, 0.0),
        (right + 0.04, 0.0),
        (right + 0.02, 0.06),
        (right + 0.022, 0.22),
        (right + 0.045, 0.36),
        (right + 0.07, 0.5),
    )


def paint_rabbit(stage: Stage, place: Place) -> None:
    """A sitting rabbit with upright ears."""
    fur = stage.choose_colour(place.noun, place.index, rgb(("#a58a70", "#e6ded2", "#6b5a4e")[place.index % 3]))
    size = place.size
    _paint_shadow(stage, place, 0.36)
    layer = _create_layer(stage, place)
    layer.ellipse(_mirror_point(place, -0.34, 0.12), size * 0.07, colour=mix(fur, rgb("#ffffff"), 0.6))
    layer.poly(
        _make_closed_curve(place, *parse_points("-0.34,0.0 -0.36,0.2 -0.22,0.38 0.0,0.42 0.18,0.34 0.2,0.12 0.16,0.0")),
        fur,
    )
    for lean in (0.0, 0.09):
        layer.poly(
            _make_closed_curve(
                place,
                (0.07 + lean, 0.64),
                (0.02 + lean * 1.2, 0.86),
                (0.06 + lean * 1.3, 1.0),
                (0.12 + lean, 0.86),
                (0.14 + lean, 0.62),
            ),
            fur,
        )
    _shade_fur(stage, place, layer, 0.15)
    stage.canvas.lay(layer)
    head = _create_layer(stage, place)
    head.poly(
        _make_closed_curve(place, *parse_points("0.02,0.46 0.02,0.6 0.14,0.68 0.3,0.62 0.36,0.5 0.28,0.4 0.12,0.36")),
        fur,
    )
    head.poly(_make_closed_curve(place, (0.06, 0.0), (0.04, 0.07), (0.14, 0.1), (0.28, 0.05), (0.28, 0.0)), fur)
    _shade_fur(stage, place, head, 0.1)
    head.poly(
        _make_closed_curve(place, *parse_points("0.1,0.68 0.07,0.85 0.09,0.93 0.115,0.85 0.125,0.68")),
        mix(fur, rgb("#d99a98"), 0.6),
    )
    eye = _mirror_point(place, 0.22, 0.55)
    head.ellipse(eye, size * 0.024, colour=rgb("#140e0d"))
    head.ellipse((eye[0] - size * 0.007, eye[1] - size * 0.008), size * 0.007, colour=rgb("#ffffff"))
    head.ellipse(_mirror_point(place, 0.352, 0.51), size * 0.014, size * 0.011, colour=mix(_NOSE, rgb("#c98080"), 0.7))
    stage.canvas.lay(head)


def paint_flying_bird(stage: Stage, place: Place) -> None:
    """A bird on the wing, seen from afar; its size is its span."""
    rng = stage.canvas.make_rng(f"bird{place.index}")
    own = place.noun.colours
    colour = (
        stage.mood.apply_light(get_named_colour(own[place.index % len(own)]))
        if own
        else mix(stage.mood.sky[0], _NOSE, 0.65)
    )
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.7, place.y - size * 0.6, place.x + size * 0.7, place.y + size * 0.4
    )
    lift = rng.uniform(0.12, 0.34)
    for side in (-1, 1):
        front = smooth_curve(
            [place.to_canvas(0, 0.02), place.to_canvas(side * 0.22, lift), place.to_canvas(side * 0.5, lift * 0.55)]
        )
        back = smooth_curve(
            [
                place.to_canvas(side * 0.5, lift * 0.55),
                place.to_canvas(side * 0.24, lift * 0.62),
                place.to_canvas(0, -0.05),
            ]
        )
        layer.poly(np.concatenate([front, back]), colour)
    layer.poly(
        smooth_curve(place.to_canvas_points((-0.02, 0.05), (0.06, 0.0), (0.0, -0.14), (-0.06, 0.0)), closed=True),
        colour,
    )
    stage.canvas.lay(layer)


def paint_fish(stage: Stage, place: Place) -> None:
    """A fish from the side, with fins and scales; its foot is below its belly."""
    rng = stage.canvas.make_rng(f"fish{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(place.x - size, place.y - size * 0.95, place.x + size, place.y + size * 0.3)
    own = stage.choose_colour(
        place.noun, place.index, rgb(("#f08a2c", "#e8c23a", "#3f8fd0", "#d9527a")[place.index % 4])
    )
    fin = mix(own, rgb("#fff1d6"), 0.35)
    layer.poly(_make_closed_curve(place, (-0.5, 0.36), (-0.86, 0.66), (-0.76, 0.36), (-0.86, 0.06)), fin)
    layer.poly(_make_closed_curve(place, (-0.16, 0.56), (-0.1, 0.8), (0.2, 0.72), (0.2, 0.56)), fin)
    layer.poly(_make_closed_curve(place, (-0.1, 0.16), (-0.16, -0.02), (0.08, 0.08), (0.1, 0.16)), fin)
    layer.poly(
        _make_closed_curve(
            place, *parse_points("-0.58,0.38 -0.3,0.52 0.1,0.64 0.44,0.54 0.6,0.38 0.44,0.22 0.1,0.1 -0.3,0.22")
        ),
        own,
    )
    for _ in range(60):
        right, up = rng.uniform(-0.4, 0.32), rng.uniform(0.2, 0.56)
        if (right / 0.55) ** 2 + ((up - 0.38) / 0.2) ** 2 < 0.8:
            layer.ellipse(
                _mirror_point(place, right, up),
                size * 0.022,
                size * 0.016,
                colour=shade_colour(own, rng.uniform(0.88, 1.16)),
            )
    layer.inflate(towards=(-0.3, -0.95), depth=size * 0.2, strength=0.55, rim=stage.rim * np.float32(0.6))
    layer.poly(_make_closed_curve(place, (0.12, 0.38), (-0.06, 0.3), (-0.04, 0.44)), fin)
    eye = _mirror_point(place, 0.43, 0.43)
    layer.ellipse(eye, size * 0.045, colour=rgb("#f7f3e4"))
    layer.ellipse(eye, size * 0.026, colour=rgb("#14110f"))
    stage.canvas.lay(layer)


def paint_whale(stage: Stage, place: Place) -> None:
    """A whale from the side."""
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 1.3, place.y - size * 0.9, place.x + size * 1.3, place.y + size * 0.3
    )
    skin = stage.choose_colour(place.noun, place.index, rgb("#46617c"))
    layer.poly(_make_closed_curve(place, (-0.7, 0.3), (-1.06, 0.62), (-0.98, 0.34), (-1.14, 0.1), (-0.74, 0.2)), skin)
    layer.poly(
        _make_closed_curve(
            place,
            *parse_points("-0.9,0.28 -0.4,0.42 0.1,0.56 0.66,0.52 0.94,0.34 0.86,0.16 0.5,0.04 0.0,0.06 -0.5,0.16"),
        ),
        skin,
    )
    belly = mix(skin, rgb("#e4e9ea"), 0.7)
    layer.poly(
        _make_closed_curve(place, (0.9, 0.22), (0.82, 0.12), (0.5, 0.04), (0.05, 0.07), (0.2, 0.15), (0.6, 0.2)), belly
    )
    layer.inflate(towards=(-0.25, -0.97), depth=size * 0.24, strength=0.6, rim=stage.rim * np.float32(0.6))
    for up in (0.07, 0.1, 0.13, 0.16):
        layer.line(
            smooth_curve(
                [
                    _mirror_point(place, 0.86, up + 0.06),
                    _mirror_point(place, 0.55, up),
                    _mirror_point(place, 0.22, up + 0.02),
                ]
            ),
            shade_colour(belly, 0.75),
            size * 0.005,
        )
    layer.poly(_make_closed_curve(place, (0.34, 0.14), (0.12, -0.16), (0.14, 0.1)), shade_colour(skin, 0.8))
    layer.ellipse(_mirror_point(place, 0.68, 0.27), size * 0.016, colour=rgb("#0f1114"))
    stage.canvas.lay(layer)


def paint_butterfly(stage: Stage, place: Place) -> None:
    """A butterfly with open wings."""
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.7, place.y - size * 1.05, place.x + size * 0.7, place.y + size * 0.05
    )
    wing = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    for side in (-1, 1):
        for outline, inner in (
            (
                ((0, 0.5), (side * 0.26, 0.96), (side * 0.52, 0.94), (side * 0.46, 0.62), (side * 0.2, 0.46)),
                (side * 0.3, 0.72),
            ),
            (
                ((0, 0.46), (side * 0.24, 0.44), (side * 0.38, 0.24), (side * 0.22, 0.06), (side * 0.06, 0.24)),
                (side * 0.2, 0.28),
            ),
        ):
            curve = smooth_curve(place.to_canvas_points(*outline), closed=True)
            layer.poly(curve, shade_colour(wing, 0.3))
            centre = np.asarray(place.to_canvas(*inner), np.float32)
            layer.poly(centre + (curve - centre) * 0.82, wing)
            layer.ellipse(place.to_canvas(*inner), size * 0.05, size * 0.035, colour=mix(wing, rgb("#fff3cf"), 0.7))
    layer.taper([place.to_canvas(0, 0.72), place.to_canvas(0, 0.2)], _NOSE, size * 0.05, size * 0.02)
    for side in (-1, 1):
        layer.line(
            smooth_curve(place.to_canvas_points((0, 0.72), (side * 0.06, 0.86), (side * 0.14, 0.92))),
            _NOSE,
            size * 0.008,
        )
    stage.canvas.lay(layer)
