"""A sea in a storm and a rock that stands in it: swell with breaking crests, a cliff, surf and spray.

The swell is a height field painted as land (see `terrain`), since waves that hide each other cannot be had from a
mirrored plane (`water`). Rocks are outlines broken by midpoint displacement and shaded by facets of noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas, Layer, Point, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.landscape import smooth_step
from atelier_mcp.server.engine.paint.stage import parse_points
from atelier_mcp.server.engine.paint.terrain import (
    Ground,
    Land,
    compute_nearest_depth,
    make_soft_tile,
    mix_planes,
    paint_land,
    sample_tile,
)
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Array, Colours, Plane


def paint_stormy_sea(stage: Stage, water_colour: Colours) -> None:
    """Swell in perspective, foam on its crests and streaks of it in the troughs."""
    rng = stage.canvas.make_rng("swell")
    wander = make_soft_tile(rng, 120, octaves=3)
    chop = make_soft_tile(rng, 34, octaves=4)
    lace = make_soft_tile(rng, 12, octaves=4)
    lean = float(rng.uniform(0.2, 0.5) * rng.choice([-1, 1]))

    def compute_height(across: Plane, depth: Plane) -> Plane:
        # The phase wanders, so that crests are no straight lines.
        swerve = sample_tile(wander, across, depth, scale=1.3) * 9
        long_wave = _compute_wave(depth * 0.95 + across * lean + swerve)
        short_wave = _compute_wave(depth * 2.1 - across * lean * 2.4 + swerve * 1.7)
        ripple = sample_tile(chop, across, depth, scale=2.2) - 0.5
        # Lower close to the eye: at its full height a wave would fill the foreground.
        near = np.clip(depth / np.float32(3.5), 0.35, 1)
        return ((long_wave * 0.85 + short_wave * 0.26 + ripple * 0.26) * near).astype(np.float32)

    def compute_colour(ground: Ground) -> Colours:
        torn = sample_tile(lace, ground.across, ground.depth * 0.8 + ground.height, scale=1.6)
        crest = smooth_step(ground.height, 0.12, 0.62)
        body = mix_planes(water_colour * np.float32(0.6), mix(water_colour, rgb("#9cc8b8"), 0.65), crest)
        # Level water mirrors the sky, steep faces show their own colour.
        sky = stage.mood.sky[2] * np.float32(1.2)
        body = mix(body, sky, 0.3 * np.exp(-ground.slope[..., None] * 1.4))
        foam = (
            smooth_step(ground.height + (torn - 0.5) * 0.8, 0.42, 0.66)
            + smooth_step(torn + ground.height * 0.15, 0.66, 0.76) * 0.4
        )
        return mix_planes(body, WHITE * np.float32(1.15), np.clip(foam, 0, 1))

    paint_land(
        stage,
        Land(
            compute_nearest_depth(stage, camera=1.5),
            70,
            compute_height,
            compute_colour,
            slices=460,
            haze_from=7,
            haze_length=26,
            camera=1.5,
        ),
    )


def _compute_wave(phase: Plane) -> Plane:
    """A wave with sharp crests and round troughs, -0.5 to 0.5: a power of a sine, as in Gerstner's waves.

    The small addend keeps the crest from being a cusp, whose slope would be infinite.
    """
    return np.float32(0.5) - np.power(np.sin(phase * np.float32(0.5)) ** 2 + np.float32(0.02), np.float32(0.42))


def paint_rock_mass(stage: Stage, outline: Array, part: str, *, colour: Colours, cell: float) -> None:
    """A body of rock with broken edges: facets lit from the sun's side, cracks, a wet dark foot."""
    canvas = stage.canvas
    rng = canvas.make_rng(part)
    rough = _roughen_outline(outline, rng, cell * 0.16)
    left, top = rough.min(axis=0) - 2
    # Outlines run on far below the picture: that part is not worth shading.
    right, bottom = np.minimum(rough.max(axis=0) + 3, [canvas.width + 4, canvas.height + 4])
    rock = canvas.create_layer(float(left), float(top), float(right), float(bottom))
    rock.poly(rough, colour)
    towards = stage.compute_light_direction(float(left + right) / 2, float(top))
    rock.emboss(lambda height, width: _make_facets(rng, height, width, cell), towards, 0.5)
    rock.texture(rng, cell * 0.5, 0.28, stretch=1.7)
    rock.inflate(towards=towards, depth=cell * 0.7, strength=0.55, rim=stage.rim * np.float32(0.5))
    # Wet rock is dark: the foot, where the surf reaches.
    rock.gradient((left, bottom - cell * 1.2), (left, bottom), 1.0, 0.55)
    canvas.lay(rock)


def _make_facets(rng: np.random.Generator, height: int, width: int, cell: float) -> Plane:
    """Broken planes: noise folded along its middle, strata running slightly across it."""
    coarse = 1 - np.abs(2 * make_cloud_noise(rng, height, width, cell, octaves=1, stretch=1.3) - 1)
    middle = 1 - np.abs(2 * make_cloud_noise(rng, height, width, cell * 0.42, octaves=2, stretch=1.5) - 1)
    fine = make_cloud_noise(rng, height, width, cell * 0.14, octaves=3, stretch=1.6)
    return (coarse * cell * 0.36 + middle * cell * 0.3 + fine * cell * 0.17).astype(np.float32)


def _roughen_outline(outline: Array, rng: np.random.Generator, sway: float) -> Array:
    """The outline with its sides broken into short irregular steps (midpoint displacement, four times)."""
    points = np.asarray(outline, np.float32)
    for _ in range(4):
        after = np.roll(points, -1, axis=0)
        middle = (points + after) / 2 + rng.normal(0, sway, points.shape).astype(np.float32)
        points = np.stack([points, middle], axis=1).reshape(-1, 2)
        sway *= 0.55
    return points


def paint_surf(stage: Stage, foot: Array, *, height: float, part: str) -> None:
    """Water breaking along a line: torn foam at the foot, plumes above it, drops thrown high."""
    canvas = stage.canvas
    rng = canvas.make_rng(part)
    curve = smooth_curve(foot, steps=14)
    white = mix(stage.mood.light, WHITE, 0.65)
    _paint_foam(canvas, rng, curve, height, white)
    left, top = curve.min(axis=0) - 1.6 * height
    right, bottom = curve.max(axis=0) + np.array([1.6, 0.4]) * height
    spray = canvas.create_layer(float(left), float(top), float(right), float(bottom))
    for index in rng.choice(len(curve), 3, replace=False):
        _paint_plume(
            spray, rng, (float(curve[index][0]), float(curve[index][1])), height * rng.uniform(0.7, 1.25), white
        )
    # Twice: blurred as mist, then sharp as drops in it.
    canvas.lay(spray, opacity=0.45, blur=height * 0.07)
    canvas.lay(spray, opacity=0.75, blur=max(0.6, height * 0.006))


def _paint_foam(canvas: Canvas, rng: np.random.Generator, curve: Array, height: float, white: Colours) -> None:
    """A band of foam drawn out along the water, bright where it breaks, grey and torn below."""
    left, top = curve.min(axis=0) - 0.6 * height
    right, bottom = curve.max(axis=0) + 0.6 * height
    foam = canvas.create_layer(float(left), float(top), float(right), float(bottom))
    for x, y in curve:
        for _ in range(20):
            down = rng.normal(0.05, 0.085)
            spot = (float(x) + rng.normal(0, 0.22) * height, float(y) + down * height)
            wide = height * rng.uniform(0.012, 0.06)
            tone = shade_colour(white, rng.uniform(0.72, 1.0) - 0.6 * max(0.0, down - 0.05))
            foam.ellipse(spot, wide, wide * rng.uniform(0.2, 0.4), colour=tone, degrees=float(rng.normal(0, 14)))
    # Blurred first as mist, then the torn foam itself over it.
    canvas.lay(foam, opacity=0.4, blur=height * 0.09)
    foam.fray(rng, height * 0.1, max(0.8, height * 0.014))
    canvas.lay(foam, opacity=0.92)


def _paint_plume(spray: Layer, rng: np.random.Generator, foot: Point, height: float, colour: Colours) -> None:
    lean = rng.uniform(-0.35, 0.35)
    for _ in range(480):
        # Most drops stay low, and the highest are the smallest.
        rise = rng.random() ** 1.9
        spread = (0.16 + 0.5 * rise * (1.1 - rise)) * height
        x = foot[0] + rng.normal(0, 0.5) * spread + lean * rise * height
        size = height * rng.uniform(0.003, 0.018) * (1.05 - rise)
        spray.dot((x, foot[1] - rise * height), max(0.6, size), colour)


def get_headland_top(stage: Stage, index: int) -> Point:
    """Where a lighthouse stands on the headland; a second one stands on the skerry before it."""
    canvas = stage.canvas
    right = choose_headland_side(canvas) > 0
    share = 0.74 if index == 0 else 0.34
    x = canvas.width * share if right else canvas.width * (1 - share)
    return float(x), float(stage.horizon + canvas.unit * (-0.035 if index == 0 else 0.12))


def choose_headland_side(canvas: Canvas) -> float:
    """1 when the headland enters from the right, -1 from the left."""
    return float(canvas.make_rng("headland side").choice([-1, 1]))


_BACK: Final = parse_points("-1.0,-0.1 -0.45,0.02 0.02,0.06 0.2,0.42 0.33,0.8 0.4,1.05 -1.0,1.3")
_FRONT: Final = parse_points("-1.0,0.55 -0.5,0.5 -0.05,0.62 0.14,0.8 0.25,1.1 0.29,1.42 -1.0,1.75")
_TURF: Final = parse_points("-1.0,-0.13 -0.5,-0.02 -0.1,-0.01 0.1,0.07 0.06,0.18 -0.3,0.14 -1.0,0.1")
_FOOT: Final = parse_points("0.43,1.05 0.36,1.2 0.3,1.42 0.1,1.56 -0.4,1.66 -1.0,1.72")
_SKERRY: Final = parse_points("-1.3,0.35 -0.7,-0.5 0.1,-0.95 0.6,-0.45 1.3,0.35")
"""Outlines of the headland: to the open sea in sides of the picture, inland (negative) in shares of the way to its
edge, down in heights of the cliff."""


def paint_headland(stage: Stage) -> None:
    """A rocky point that runs into the sea from one side, skerries before it, surf along its foot."""
    unit = stage.canvas.unit
    rock = stage.mood.apply_light(rgb("#8a8178"))
    rough = 1.0 if stage.mood.is_stormy else 0.3
    paint_rock_mass(
        stage, _place_outline(stage, _BACK), "headland back", colour=shade_colour(rock, 0.82), cell=unit * 0.11
    )
    # The turf lies between back and front, which hides its lower edge.
    stage.canvas.lay(_make_turf(stage, _place_outline(stage, _TURF)))
    paint_rock_mass(
        stage, _place_outline(stage, _FRONT), "headland front", colour=shade_colour(rock, 0.7), cell=unit * 0.13
    )
    paint_surf(stage, _place_outline(stage, _FOOT), height=unit * (0.07 + 0.16 * rough), part="surf")
    for index in range(2):
        _paint_skerry(stage, index, shade_colour(rock, 0.6), rough)


def _compute_cliff_height(stage: Stage) -> float:
    return stage.horizon + stage.canvas.unit * 0.2 - get_headland_top(stage, 0)[1]


def _place_outline(stage: Stage, outline: list[Point]) -> Array:
    """An outline of the headland on this canvas."""
    canvas, side = stage.canvas, choose_headland_side(stage.canvas)
    top_x, top_y = get_headland_top(stage, 0)
    # Beyond the edge of the picture, so that the end of the rock is not seen.
    edge = canvas.width * 1.08 if side > 0 else -canvas.width * 0.08
    inland = abs(edge - top_x)
    out = np.array([along * (canvas.unit if along > 0 else inland) for along, _ in outline], np.float32)
    down = np.array([down * _compute_cliff_height(stage) for _, down in outline], np.float32)
    return np.stack([np.float32(top_x) - np.float32(side) * out, np.float32(top_y) + down], axis=1)


def _paint_skerry(stage: Stage, index: int, rock: Colours, rough: float) -> None:
    """A low rock in the water with surf of its own."""
    canvas, unit = stage.canvas, stage.canvas.unit
    rng = canvas.make_rng(f"skerry place{index}")
    out = unit * rng.uniform(0.45, 0.62) * (1 + 0.25 * index)
    x = get_headland_top(stage, 0)[0] - choose_headland_side(canvas) * out
    y = stage.horizon + unit * (0.2 + rng.uniform(0.02, 0.08) + 0.06 * index)
    size = unit * rng.uniform(0.035, 0.065)
    outline = np.array(_SKERRY, np.float32) * np.float32(size) + np.array([x, y], np.float32)
    paint_rock_mass(stage, outline, f"skerry{index}", colour=rock, cell=size)
    foot = np.array(parse_points("-1.5,0.3 0,0.45 1.5,0.3"), np.float32) * np.float32(size) + np.array(
        [x, y], np.float32
    )
    paint_surf(stage, foot, height=size * (0.8 + 1.6 * rough), part=f"skerry surf{index}")


def _make_turf(stage: Stage, outline: Array) -> Layer:
    """Grass on top of the rock."""
    points = _roughen_outline(outline, stage.canvas.make_rng("turf"), stage.canvas.unit * 0.006)
    left, top = points.min(axis=0) - 2
    right, bottom = points.max(axis=0) + 3
    turf = stage.canvas.create_layer(float(left), float(top), float(right), float(bottom))
    green = rgb("#6f7f45") if not stage.prompt.has("snow") else rgb("#e8eef4")
    turf.poly(points, stage.mood.apply_light(green))
    turf.texture(stage.canvas.make_rng("turf blades"), stage.canvas.unit * 0.012, 0.4)
    turf.gradient((0, float(top)), (0, float(bottom)), 1.15, 0.6)
    return turf
