"""Land animals: outlines read off sketches, filled, then shaded as rounded bodies with fur and a rim of light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from atelier_mcp.server.engine.paint.animal_outlines import (
    make_closed_curve,
    mirror_point,
    mirror_points,
    shift_points,
)
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


def _shade_fur(stage: Stage, place: Place, layer: Layer, depth: float) -> None:
    towards = stage.compute_light_direction(place.x, place.y - place.size)
    layer.texture(stage.canvas.make_rng(f"fur{place.index}"), place.size * 0.03, 0.16)
    layer.inflate(towards=towards, depth=place.size * depth, strength=0.6, rim=stage.rim)


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
    curve = smooth_curve(mirror_points(place, "-0.2,0.06 -0.42,0.05 -0.5,0.2 -0.42,0.36 -0.46,0.46"))
    tail.taper(curve, fur, place.size * 0.085, place.size * 0.045)
    tail.ellipse(mirror_point(place, -0.46, 0.46), place.size * 0.023, colour=fur)
    _shade_fur(stage, place, tail, 0.04)
    stage.canvas.lay(tail)


def _paint_cat_body(stage: Stage, place: Place, fur: Colours) -> None:
    body = _create_layer(stage, place)
    back = parse_points("-0.26,0.0 -0.31,0.14 -0.24,0.36 -0.1,0.56 0.08,0.62 0.19,0.5 0.21,0.3 0.2,0.0")
    haunch = parse_points("-0.3,0.1 -0.24,0.27 -0.06,0.26 -0.02,0.06 -0.1,-0.01 -0.28,0.0")
    body.poly(make_closed_curve(place, *back), fur)
    body.poly(make_closed_curve(place, *haunch), shade_colour(fur, 1.06))
    for right in (0.07, 0.17):
        leg = shift_points("-0.045,0.3 -0.04,0.03 -0.05,-0.015 0.06,-0.015 0.045,0.05 0.05,0.3", right)
        body.poly(make_closed_curve(place, *leg), fur)
    _shade_fur(stage, place, body, 0.17)
    # The lines between the toes of the forepaws.
    for right in (0.05, 0.12, 0.165):
        body.line(
            [mirror_point(place, right, 0.0), mirror_point(place, right, 0.035)],
            shade_colour(fur, 0.5),
            place.size * 0.006,
        )
    stage.canvas.lay(body)


def _paint_cat_head(stage: Stage, place: Place, fur: Colours) -> None:
    head = _create_layer(stage, place)
    for ear in (-1, 1):
        # 0.08 is the middle of the head, around which ears, eyes and muzzle are mirrored.
        centre = 0.08 + ear * 0.12
        head.poly(
            make_closed_curve(place, (centre - 0.065, 0.76), (centre + ear * 0.05, 0.99), (centre + 0.07, 0.76)), fur
        )
    skull = parse_points("-0.14,0.68 -0.1,0.82 0.08,0.86 0.26,0.82 0.3,0.68 0.2,0.56 0.08,0.53 -0.04,0.56")
    head.poly(make_closed_curve(place, *skull), fur)
    _shade_fur(stage, place, head, 0.13)
    # The inside of the ears after the fur, which ends at their rim.
    for ear in (-1, 1):
        centre = 0.08 + ear * 0.125
        inside = make_closed_curve(place, (centre - 0.03, 0.8), (centre + ear * 0.035, 0.93), (centre + 0.035, 0.8))
        head.poly(inside, mix(fur, rgb("#d58f8c"), 0.5))
    _paint_cat_face(stage, place, head, fur, 1.0 if place.index % 2 else -1.0)
    stage.canvas.lay(head)


def _paint_cat_face(stage: Stage, place: Place, head: Layer, fur: Colours, side: float) -> None:
    size = place.size
    # The vocabulary has eyes as a subject beside the cat, so they are looked up by name.
    eyes = stage.prompt.find_subject("eyes")
    iris = get_named_colour(eyes.colours[0]) if eyes and eyes.colours else rgb("#e0b53c")
    muzzle = mix(fur, rgb("#e9dfd2"), 0.28)
    for offset in (-0.035, 0.035):
        head.ellipse(mirror_point(place, 0.08 + offset, 0.6), size * 0.045, size * 0.034, colour=muzzle)
    for offset in (-0.085, 0.085):
        centre = mirror_point(place, 0.08 + offset, 0.695)
        head.ellipse(centre, size * 0.041, size * 0.034, colour=shade_colour(fur, 0.35), degrees=side * offset * 120)
        head.ellipse(centre, size * 0.035, size * 0.029, colour=iris)
        head.ellipse(centre, size * 0.011, size * 0.026, colour=rgb("#0d0b0c"))
        head.ellipse((centre[0] - size * 0.01, centre[1] - size * 0.012), size * 0.007, colour=rgb("#ffffff"))
    head.poly(make_closed_curve(place, (0.055, 0.635), (0.105, 0.635), (0.08, 0.608)), mix(_NOSE, rgb("#b36a6a"), 0.6))
    for offset in (-1, 1):
        mouth = smooth_curve(
            [
                mirror_point(place, 0.08, 0.61),
                mirror_point(place, 0.08 + offset * 0.02, 0.585),
                mirror_point(place, 0.08 + offset * 0.05, 0.588),
            ]
        )
        head.line(mouth, shade_colour(fur, 0.3), size * 0.005)
        for lift in (-0.025, 0.0, 0.025):
            whisker = smooth_curve(
                [
                    mirror_point(place, 0.08 + offset * 0.06, 0.6 + lift * 0.3),
                    mirror_point(place, 0.08 + offset * 0.25, 0.605 + lift * 1.4),
                ]
            )
            head.line(whisker, mix(fur, rgb("#f3eee6"), 0.65), size * 0.0022)


class _Build(NamedTuple):
    """Proportions of a four-legged animal, in its own height: what tells a dog from a fox."""

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
        far.poly(make_closed_curve(place, *_outline_shank(right, 0.06, build.legs)), shade_colour(fur, 0.6))
    # Far legs are a layer of their own, or the shading would melt them into the near ones.
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
    layer.poly(make_closed_curve(place, *back, *belly), fur)
    for right, thick in ((-0.38, 0.085), (0.28, 0.065)):
        layer.poly(make_closed_curve(place, *_outline_shank(right, thick, build.legs)), fur)
    _shade_fur(stage, place, layer, 0.13)
    stage.canvas.lay(layer)
    _paint_dog_head(stage, place, fur, build)


def _outline_shank(right: float, thick: float, legs: float) -> list[Point]:
    """A leg: wide at the body, narrow below the knee, a paw at the foot."""
    paw = shift_points("-0.035,0.03 -0.03,-0.01 0.07,-0.01 0.035,0.05", right)
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
        curl = smooth_curve(mirror_points(place, "-0.38,0.52 -0.54,0.56 -0.64,0.7 -0.62,0.8"))
        layer.taper(curl, fur, size * build.tail, size * 0.03)
        return
    curl = smooth_curve(mirror_points(place, "-0.36,0.5 -0.52,0.42 -0.62,0.26 -0.6,0.1"))
    # Two tapers: thin at the root, thickest in the middle, thin again at the tip.
    middle = len(curl) // 2
    layer.taper(curl[: middle + 1], fur, size * 0.07, size * build.tail)
    layer.taper(curl[middle:], fur, size * build.tail, size * 0.03)


def _paint_dog_head(stage: Stage, place: Place, fur: Colours, build: _Build) -> None:
    head = _create_layer(stage, place)
    tip = 0.5 + build.snout
    muzzle = [(0.5 + build.snout * 0.3, 0.78), (tip, 0.74), (tip, 0.67)]
    skull = parse_points("0.2,0.62 0.18,0.82 0.3,0.92 0.44,0.88")
    head.poly(make_closed_curve(place, *skull, *muzzle, (0.44, 0.65), (0.36, 0.56)), fur)
    if build.pointed_ears:
        # The far ear, then the near one.
        head.poly(make_closed_curve(place, (0.2, 0.84), (0.2, 1.04), (0.33, 0.9)), shade_colour(fur, 0.85))
        head.poly(make_closed_curve(place, (0.3, 0.88), (0.34, 1.05), (0.42, 0.88)), fur)
    _shade_fur(stage, place, head, 0.1)
    _paint_dog_details(place, head, fur, build)
    if build.white_tips:
        white = stage.mood.apply_light(rgb("#f4eadb"))
        head.poly(make_closed_curve(place, (0.32, 0.62), (0.42, 0.7), (tip, 0.69), (0.48, 0.655), (0.38, 0.57)), white)
        # The tip of the tail, blurred so that the white runs into the fur.
        brush = _create_layer(stage, place)
        brush.ellipse(mirror_point(place, -0.6, 0.12), place.size * 0.035, place.size * 0.075, colour=white)
        stage.canvas.lay(brush, blur=place.size * 0.008)
    stage.canvas.lay(head)


def _paint_dog_details(place: Place, head: Layer, fur: Colours, build: _Build) -> None:
    size, snout = place.size, build.snout
    # A hanging ear lies on the head, so it comes after the shading; an upright one is shaded with the outline.
    if not build.pointed_ears:
        head.poly(
            make_closed_curve(place, (0.2, 0.88), (0.3, 0.88), (0.31, 0.7), (0.24, 0.6), (0.17, 0.68)),
            shade_colour(fur, 0.62),
        )
    eye = mirror_point(place, 0.41, 0.82)
    head.ellipse(eye, size * 0.019, colour=rgb("#120d0c"))
    head.ellipse((eye[0] - size * 0.005, eye[1] - size * 0.006), size * 0.005, colour=rgb("#ffffff"))
    head.ellipse(mirror_point(place, 0.5 + snout * 0.95, 0.735), size * 0.026, size * 0.021, colour=_NOSE)
    mouth = smooth_curve(
        [
            mirror_point(place, 0.5 + snout * 0.9, 0.69),
            mirror_point(place, 0.5, 0.672),
            mirror_point(place, 0.44, 0.685),
        ]
    )
    head.line(mouth, shade_colour(fur, 0.4), size * 0.006)


def paint_horse(stage: Stage, place: Place) -> None:
    """A standing horse in profile with mane and tail."""
    coat = stage.choose_colour(
        place.noun, place.index, rgb(("#7b4a2d", "#a9713f", "#4a3429", "#cfc3b2")[place.index % 4])
    )
    # Darker than the coat; on a nearly black coat that could not be seen, so there it is greyish.
    mane = shade_colour(coat, 0.4) if float(coat.mean()) > 0.12 else mix(coat, rgb("#5a5560"), 0.3)
    size = place.size
    _paint_shadow(stage, place, 0.45)
    layer = _create_layer(stage, place)
    _paint_horse_body(place, layer, coat, mane)
    _shade_fur(stage, place, layer, 0.12)
    # Mane and eye after the shading: fur noise would grey them.
    layer.poly(
        make_closed_curve(place, *parse_points("0.36,1.02 0.28,0.94 0.17,0.76 0.07,0.63 0.14,0.61 0.24,0.72 0.34,0.9")),
        mane,
    )
    layer.ellipse(mirror_point(place, 0.45, 0.885), size * 0.013, colour=rgb("#120d0c"))
    layer.ellipse(mirror_point(place, 0.585, 0.715), size * 0.008, colour=shade_colour(coat, 0.35))
    stage.canvas.lay(layer)


def _paint_horse_body(place: Place, layer: Layer, coat: Colours, mane: Colours) -> None:
    """The far legs in shade, tail, trunk, neck and head, and the near legs."""
    for right in (-0.22, 0.18):
        layer.poly(_outline_leg(place, right), shade_colour(coat, 0.62))
    tail = smooth_curve(
        [
            mirror_point(place, -0.36, 0.6),
            mirror_point(place, -0.48, 0.5),
            mirror_point(place, -0.47, 0.3),
            mirror_point(place, -0.5, 0.16),
        ]
    )
    layer.taper(tail, mane, place.size * 0.05, place.size * 0.07)
    layer.poly(
        make_closed_curve(
            place,
            *parse_points(
                "-0.38,0.5 -0.36,0.63 -0.2,0.66 0.0,0.62 0.18,0.66 0.28,0.6 0.3,0.46 0.18,0.38 -0.05,0.36 "
                "-0.22,0.38 -0.34,0.4"
            ),
        ),
        coat,
    )
    layer.poly(
        make_closed_curve(
            place, *parse_points("0.1,0.62 0.26,0.84 0.36,0.98 0.46,0.94 0.44,0.82 0.37,0.7 0.29,0.48 0.16,0.46")
        ),
        coat,
    )
    layer.poly(
        make_closed_curve(
            place, *parse_points("0.33,0.9 0.37,1.0 0.46,0.95 0.56,0.8 0.61,0.72 0.57,0.67 0.5,0.71 0.41,0.8")
        ),
        coat,
    )
    layer.poly(make_closed_curve(place, (0.355, 0.96), (0.365, 1.055), (0.41, 0.985)), coat)
    for right in (-0.3, 0.24):
        layer.poly(_outline_leg(place, right), coat)


def _outline_leg(place: Place, right: float) -> list[Point]:
    return make_closed_curve(
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
    # The tail before the body, which covers where it is attached.
    layer.ellipse(mirror_point(place, -0.34, 0.12), size * 0.07, colour=mix(fur, rgb("#ffffff"), 0.6))
    layer.poly(
        make_closed_curve(place, *parse_points("-0.34,0.0 -0.36,0.2 -0.22,0.38 0.0,0.42 0.18,0.34 0.2,0.12 0.16,0.0")),
        fur,
    )
    for lean in (0.0, 0.09):
        layer.poly(
            make_closed_curve(
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
        make_closed_curve(place, *parse_points("0.02,0.46 0.02,0.6 0.14,0.68 0.3,0.62 0.36,0.5 0.28,0.4 0.12,0.36")),
        fur,
    )
    # The forepaw, in the layer of the head since it lies before the body as well.
    head.poly(make_closed_curve(place, (0.06, 0.0), (0.04, 0.07), (0.14, 0.1), (0.28, 0.05), (0.28, 0.0)), fur)
    _shade_fur(stage, place, head, 0.1)
    head.poly(
        make_closed_curve(place, *parse_points("0.1,0.68 0.07,0.85 0.09,0.93 0.115,0.85 0.125,0.68")),
        mix(fur, rgb("#d99a98"), 0.6),
    )
    eye = mirror_point(place, 0.22, 0.55)
    head.ellipse(eye, size * 0.024, colour=rgb("#140e0d"))
    head.ellipse((eye[0] - size * 0.007, eye[1] - size * 0.008), size * 0.007, colour=rgb("#ffffff"))
    head.ellipse(mirror_point(place, 0.352, 0.51), size * 0.014, size * 0.011, colour=mix(_NOSE, rgb("#c98080"), 0.7))
    stage.canvas.lay(head)
