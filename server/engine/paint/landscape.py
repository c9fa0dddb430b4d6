"""Kinds of land: mountains, hills, dunes, far shores, banks; each a height and a colour function for `terrain`.

Every ``paint_`` function here returns the skyline: for each column the row of its highest pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, tint_colour
from atelier_mcp.server.engine.paint.terrain import (
    Ground,
    Land,
    compute_nearest_depth,
    make_ridged_tile,
    make_soft_tile,
    mix_planes,
    paint_land,
    sample_tile,
)

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours, Plane

_SNOW: Final = rgb("#f2f6fb")

_ROCK: Final = rgb("#8b8780")
_DARK_ROCK: Final = rgb("#5c5a5e")
_WOODS: Final = rgb("#3f5f3c")
_GRASS: Final = rgb("#76944f")
_DRY_GRASS: Final = rgb("#a9a558")
_SAND: Final = rgb("#e2b77a")
_NEAREST_MOUNTAIN: Final = 8.0
_FARTHEST_HILL: Final = 40.0
"""Depths, in heights of the camera above the ground."""


def smooth_step(values: Plane, start: float, end: float) -> Plane:
    """0 before start, 1 after end, smooth between."""
    share = np.clip((values - start) / np.float32(end - start), 0, 1)
    return share * share * (3 - 2 * share)


def choose_snow_colour(stage: Stage) -> Colours:
    """Snow on the ground: darker than white by day, so that shading shows on it, and brighter in low light."""
    return _SNOW * np.float32(0.92 + 0.55 * (1 - stage.mood.key))


def choose_grass_colour(stage: Stage) -> Colours:
    """The grass of this prompt: by a colour bound to the meadow, hills or forest, else by its season and colours."""
    for place in ("meadow", "hills", "forest"):
        noun = stage.prompt.find_scene(place)
        if noun and noun.colours:
            return mix(_GRASS, get_named_colour(noun.colours[0]), 0.7)
    if stage.prompt.has("snow"):
        return choose_snow_colour(stage)
    if stage.prompt.has("autumn"):
        return rgb("#b08a3c")
    return tint_colour(_GRASS, get_named_colour(stage.prompt.colours[0]), 0.2) if stage.prompt.colours else _GRASS


def paint_mountains(stage: Stage) -> Plane:
    """A range of rock and snow above wooded feet; returns its skyline."""
    rng = stage.canvas.make_rng("mountains")
    crests = make_ridged_tile(rng, 300 * rng.uniform(0.8, 1.2))
    bumps = make_soft_tile(rng, 60, octaves=5)
    turn = rng.uniform(0.2, 1.2)
    tall = rng.uniform(5.0, 7.2)
    noun = stage.prompt.find_scene("mountains")
    rock = mix(_ROCK, get_named_colour(noun.colours[0]), 0.75) if noun and noun.colours else _ROCK
    white_cover = choose_snow_colour(stage)
    snow_line = 0.2 if stage.prompt.has("snow") else rng.uniform(2.0, 3.4)
    # Higher than any peak: "no snow" means the peaks too.
    snow_line = 99.0 if "snow" in stage.prompt.unwanted else snow_line

    def compute_height(across: Plane, depth: Plane) -> Plane:
        ridge = sample_tile(crests, across, depth, turn=turn)
        # Ridges rise with the distance: the first slopes must not hide the peaks behind them.
        envelope = smooth_step(depth, _NEAREST_MOUNTAIN, _NEAREST_MOUNTAIN + 14)
        small = sample_tile(bumps, across, depth, scale=1.6, turn=turn + 1) - 0.5
        return envelope * (ridge * 1.9 * tall - 0.8 + small * 1.1) + (1 - envelope) * (small * 0.7 - 0.3)

    def compute_colour(ground: Ground) -> Colours:
        grain = sample_tile(bumps, ground.across, ground.depth + ground.height * 1.3, scale=3.1)
        base = mix_planes(_WOODS, rock, smooth_step(ground.height + (grain - 0.5) * 5, 1.2, 3.4))
        base = mix_planes(base, _DARK_ROCK, smooth_step(ground.slope + (grain - 0.5), 0.9, 1.9) * 0.7)
        white = smooth_step(ground.height + (grain - 0.5) * 6, snow_line, snow_line + 1.2)
        white = white * (1 - smooth_step(ground.slope + (grain - 0.5) * 2.2, 1.5, 2.6))
        return mix_planes(base * (0.72 + 0.56 * grain[..., None]), white_cover, white)

    return paint_land(
        stage, Land(_NEAREST_MOUNTAIN, 46, compute_height, compute_colour, slices=420, haze_from=9, haze_length=34)
    )


def paint_hills(stage: Stage, *, near: float | None = None, rise: float = 1.0) -> Plane:
    """Rolling grassland, by default from the foreground on, to the distance."""
    rng = stage.canvas.make_rng("hills")
    rolls = make_soft_tile(rng, 150, octaves=4)
    tufts = make_soft_tile(rng, 24, octaves=4)
    turn = rng.uniform(0.2, 1.3)
    grass = choose_grass_colour(stage)
    dry = mix(grass, _DRY_GRASS, 0.0 if stage.prompt.has("snow") else 0.55)
    woods = grass * np.float32(0.72) if stage.prompt.has("snow") else mix(grass, _WOODS, 0.8)

    def compute_height(across: Plane, depth: Plane) -> Plane:
        roll = sample_tile(rolls, across, depth, turn=turn) - 0.42
        return (
            roll
            * (0.25 + 0.24 * np.minimum(depth, 26))
            * rise
            * smooth_step(-depth, -_FARTHEST_HILL, -_FARTHEST_HILL * 0.7)
        )

    def compute_colour(ground: Ground) -> Colours:
        patch = sample_tile(rolls, ground.across, ground.depth, scale=2.3, turn=turn + 0.7)
        tuft = sample_tile(tufts, ground.across, ground.depth, scale=2.0)
        base = mix_planes(grass, dry, smooth_step(patch, 0.42, 0.62))
        base = mix_planes(base, woods, smooth_step(patch + tuft * 0.35, 0.66, 0.82) * smooth_step(ground.depth, 5, 9))
        return base * (0.78 + 0.44 * tuft[..., None])

    return paint_land(
        stage,
        Land(
            near or compute_nearest_depth(stage),
            _FARTHEST_HILL,
            compute_height,
            compute_colour,
            haze_from=5,
            haze_length=30,
        ),
    )


def paint_dunes(stage: Stage) -> Plane:
    """Sand blown into crests, rippled near the eye."""
    rng = stage.canvas.make_rng("dunes")
    crests = make_soft_tile(rng, 150, octaves=2)
    ripples = make_soft_tile(rng, 9, octaves=2)
    turn = rng.uniform(0.6, 1.0)
    noun = stage.prompt.find_scene("desert")
    sand = mix(_SAND, get_named_colour(noun.colours[0]), 0.5) if noun and noun.colours else _SAND

    def compute_height(across: Plane, depth: Plane) -> Plane:
        fold = sample_tile(crests, across * 0.75, depth, turn=turn)
        # The root of a square plus a little is an absolute value with a rounded tip: crests sharp, but not knives.
        crest = 1.05 - np.sqrt(((fold - 0.5) * 3.6) ** 2 + 0.03)
        swell = np.clip((sample_tile(crests, across, depth, scale=0.31, turn=turn + 0.8) - 0.25) * 2.4, 0.25, 1.3)
        return (crest * swell - 0.5) * (0.3 + 0.17 * np.minimum(depth, 20)) * smooth_step(-depth, -42, -26)

    def compute_colour(ground: Ground) -> Colours:
        wind = sample_tile(ripples, ground.across * 0.35, ground.depth * 1.8, scale=1.6, turn=turn)
        near = np.exp(-ground.depth / 5)
        return sand * (1 + (wind - 0.5) * (0.14 + 0.36 * near))[..., None]

    return paint_land(
        stage,
        Land(compute_nearest_depth(stage), 42, compute_height, compute_colour, slices=420, haze_from=6, haze_length=34),
    )


def paint_far_shore(stage: Stage) -> Plane:
    """Islands and headlands along the horizon; what lies below sea level is covered by the water painted after."""
    rng = stage.canvas.make_rng("shore")
    rolls = make_ridged_tile(rng, 260, octaves=6)
    bumps = make_soft_tile(rng, 40)
    side = float(rng.choice([-1, 1]))

    def compute_height(across: Plane, depth: Plane) -> Plane:
        ridge = sample_tile(rolls, across, depth, turn=0.9)
        lean = np.clip(0.5 + side * across / (depth + 1e-3), 0, 1)
        open_sea = smooth_step(-depth, -26, -20) * 3.0
        return (ridge * 2.6 + lean * 0.9 - 1.25) * 2.0 - open_sea

    def compute_colour(ground: Ground) -> Colours:
        grain = sample_tile(bumps, ground.across, ground.depth + ground.height, scale=2.0)
        base = mix_planes(_WOODS, _ROCK, smooth_step(ground.slope + grain, 0.9, 1.6))
        base = (
            mix_planes(base, choose_snow_colour(stage), np.full_like(grain, 0.8)) if stage.prompt.has("snow") else base
        )
        return base * (0.75 + 0.5 * grain[..., None])

    return paint_land(stage, Land(20, 44, compute_height, compute_colour, slices=260, haze_from=6, haze_length=34))


def choose_bank_side(canvas: Canvas) -> float:
    """1 when the dry side of the bank is on the right, -1 when on the left."""
    return float(canvas.make_rng("bank side").choice([-1, 1]))


def paint_near_bank(stage: Stage, *, kind: str) -> Plane:
    """Ground before the water, higher on one side: a beach ("sand") or a grassy bank ("grass")."""
    rng = stage.canvas.make_rng("bank")
    bumps = make_soft_tile(rng, 60, octaves=5)
    tufts = make_soft_tile(rng, 16, octaves=4)
    side = choose_bank_side(stage.canvas)
    top = _SAND if kind == "sand" else choose_grass_colour(stage)
    wet = rgb("#8f7350") if kind == "sand" else rgb("#6f6848")
    if stage.prompt.has("snow"):
        top, wet = choose_snow_colour(stage), rgb("#aab6c4")
    nearest = compute_nearest_depth(stage) / 0.6

    def compute_height(across: Plane, depth: Plane) -> Plane:
        bump = sample_tile(bumps, across, depth, scale=2.2) - 0.5
        lean = side * across / depth
        return (0.14 + 0.6 * lean + bump * 0.5) * smooth_step(-depth, -nearest * 2.0, -nearest * 0.9) - 0.05

    def compute_colour(ground: Ground) -> Colours:
        tuft = sample_tile(tufts, ground.across, ground.depth, scale=3.0)
        base = mix_planes(wet, top, smooth_step(ground.height + (tuft - 0.5) * 0.08, 0.0, 0.07))
        return base * (0.58 + 0.4 * tuft[..., None])

    land = Land(
        nearest * 0.55, nearest * 2.4, compute_height, compute_colour, slices=220, haze_from=6, above_water=True
    )
    return paint_land(stage, land)
