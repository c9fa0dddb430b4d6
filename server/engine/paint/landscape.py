"""Kinds of land: mountains, hills, dunes, far shores, beaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.colour import mix, named, rgb, tinted
from atelier_mcp.server.engine.paint.terrain import (
    Ground,
    Land,
    layered,
    nearest_depth,
    paint_land,
    ridged_tile,
    sample,
    soft_tile,
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


def smooth_step(values: Plane, start: float, end: float) -> Plane:
    """0 before start, 1 after end, smooth between."""
    share = np.clip((values - start) / np.float32(end - start), 0, 1)
    return share * share * (3 - 2 * share)


def snow_colour(stage: Stage) -> Colours:
    """Snow as land: held back by day so that its folds show, lifted in low light."""
    return _SNOW * np.float32(0.92 + 0.55 * (1 - stage.mood.key))


def grass_colour(stage: Stage) -> Colours:
    """The grass of this prompt: its season, and a colour bound to the meadow, the hills or the valley."""
    for place in ("meadow", "hills", "forest"):
        noun = stage.prompt.scene(place)
        if noun and noun.colours:
            return mix(_GRASS, named(noun.colours[0]), 0.7)
    if stage.prompt.has("snow"):
        return snow_colour(stage)
    if stage.prompt.has("autumn"):
        return rgb("#b08a3c")
    return tinted(_GRASS, named(stage.prompt.colours[0]), 0.2) if stage.prompt.colours else _GRASS


def mountains(stage: Stage, *, nearest: float = 8.0) -> Plane:
    """A range of rock and snow above wooded feet; returns its skyline."""
    rng = stage.canvas.rng("mountains")
    crests = ridged_tile(rng, 300 * rng.uniform(0.8, 1.2))
    bumps = soft_tile(rng, 60, octaves=5)
    turn = rng.uniform(0.2, 1.2)
    tall = rng.uniform(5.0, 7.2)
    noun = stage.prompt.scene("mountains")
    rock = mix(_ROCK, named(noun.colours[0]), 0.75) if noun and noun.colours else _ROCK
    white_cover = snow_colour(stage)
    snow_line = 0.2 if stage.prompt.has("snow") else rng.uniform(2.0, 3.4)

    def height(across: Plane, depth: Plane) -> Plane:
        ridge = sample(crests, across, depth, turn=turn)
        envelope = smooth_step(depth, nearest, nearest + 14)
        small = sample(bumps, across, depth, scale=1.6, turn=turn + 1) - 0.5
        return envelope * (ridge * 1.9 * tall - 0.8 + small * 1.1) + (1 - envelope) * (small * 0.7 - 0.3)

    def colour(ground: Ground) -> Colours:
        grain = sample(bumps, ground.across, ground.depth + ground.height * 1.3, scale=3.1)
        base = layered(_WOODS, rock, smooth_step(ground.height + (grain - 0.5) * 5, 1.2, 3.4))
        base = layered(base, _DARK_ROCK, smooth_step(ground.slope + (grain - 0.5), 0.9, 1.9) * 0.7)
        white = smooth_step(ground.height + (grain - 0.5) * 6, snow_line, snow_line + 1.2)
        white = white * (1 - smooth_step(ground.slope + (grain - 0.5) * 2.2, 1.5, 2.6))
        return layered(base * (0.72 + 0.56 * grain[..., None]), white_cover, white)

    return paint_land(stage, Land(nearest, 46, height, colour, slices=420, haze_from=9, haze_length=34))


def hills(stage: Stage, *, far: float = 40.0, near: float | None = None, rise: float = 1.0) -> Plane:
    """Rolling grassland, by default from the foreground on, to the distance."""
    rng = stage.canvas.rng("hills")
    rolls = soft_tile(rng, 150, octaves=4)
    tufts = soft_tile(rng, 24, octaves=4)
    turn = rng.uniform(0.2, 1.3)
    grass = grass_colour(stage)
    dry = mix(grass, _DRY_GRASS, 0.0 if stage.prompt.has("snow") else 0.55)
    woods = grass * np.float32(0.72) if stage.prompt.has("snow") else mix(grass, _WOODS, 0.8)

    def height(across: Plane, depth: Plane) -> Plane:
        roll = sample(rolls, across, depth, turn=turn) - 0.42
        return roll * (0.25 + 0.24 * np.minimum(depth, 26)) * rise * smooth_step(-depth, -far, -far * 0.7)

    def colour(ground: Ground) -> Colours:
        patch = sample(rolls, ground.across, ground.depth, scale=2.3, turn=turn + 0.7)
        tuft = sample(tufts, ground.across, ground.depth, scale=2.0)
        base = layered(grass, dry, smooth_step(patch, 0.42, 0.62))
        base = layered(base, woods, smooth_step(patch + tuft * 0.35, 0.66, 0.82) * smooth_step(ground.depth, 5, 9))
        return base * (0.78 + 0.44 * tuft[..., None])

    return paint_land(stage, Land(near or nearest_depth(stage), far, height, colour, haze_from=5, haze_length=30))


def dunes(stage: Stage) -> Plane:
    """Sand blown into crests, rippled near the eye."""
    rng = stage.canvas.rng("dunes")
    crests = soft_tile(rng, 150, octaves=2)
    ripples = soft_tile(rng, 9, octaves=2)
    turn = rng.uniform(0.6, 1.0)
    noun = stage.prompt.scene("desert")
    sand = mix(_SAND, named(noun.colours[0]), 0.5) if noun and noun.colours else _SAND

    def height(across: Plane, depth: Plane) -> Plane:
        fold = sample(crests, across * 0.75, depth, turn=turn)
        crest = 1.05 - np.sqrt(((fold - 0.5) * 3.6) ** 2 + 0.03)
        swell = np.clip((sample(crests, across, depth, scale=0.31, turn=turn + 0.8) - 0.25) * 2.4, 0.25, 1.3)
        return (crest * swell - 0.5) * (0.3 + 0.17 * np.minimum(depth, 20)) * smooth_step(-depth, -42, -26)

    def colour(ground: Ground) -> Colours:
        wind = sample(ripples, ground.across * 0.35, ground.depth * 1.8, scale=1.6, turn=turn)
        near = np.exp(-ground.depth / 5)
        return sand * (1 + (wind - 0.5) * (0.14 + 0.36 * near))[..., None]

    return paint_land(stage, Land(nearest_depth(stage), 42, height, colour, slices=420, haze_from=6, haze_length=34))


def far_shore(stage: Stage, *, low: float = 0.0) -> Plane:
    """Islands and headlands along the horizon, to be cut off by the water in front."""
    rng = stage.canvas.rng("shore")
    rolls = ridged_tile(rng, 260, octaves=6)
    bumps = soft_tile(rng, 40)
    side = float(rng.choice([-1, 1]))

    def height(across: Plane, depth: Plane) -> Plane:
        ridge = sample(rolls, across, depth, turn=0.9)
        lean = np.clip(0.5 + side * across / (depth + 1e-3), 0, 1)
        open_sea = smooth_step(-depth, -26, -20) * 3.0
        return (ridge * 2.6 + lean * 0.9 - 1.25 + low) * 2.0 - open_sea

    def colour(ground: Ground) -> Colours:
        grain = sample(bumps, ground.across, ground.depth + ground.height, scale=2.0)
        base = layered(_WOODS, _ROCK, smooth_step(ground.slope + grain, 0.9, 1.6))
        base = layered(base, snow_colour(stage), np.full_like(grain, 0.8)) if stage.prompt.has("snow") else base
        return base * (0.75 + 0.5 * grain[..., None])

    return paint_land(stage, Land(20, 44, height, colour, slices=260, haze_from=6, haze_length=34))


def bank_side(canvas: Canvas) -> float:
    """1 when the dry side of the bank is on the right, -1 when on the left."""
    return float(canvas.rng("bank side").choice([-1, 1]))


def near_bank(stage: Stage, *, kind: str) -> Plane:
    """Ground before the water, higher on one side: a beach ("sand") or a grassy bank ("grass")."""
    rng = stage.canvas.rng("bank")
    bumps = soft_tile(rng, 60, octaves=5)
    tufts = soft_tile(rng, 16, octaves=4)
    side = bank_side(stage.canvas)
    top = _SAND if kind == "sand" else grass_colour(stage)
    wet = rgb("#8f7350") if kind == "sand" else rgb("#6f6848")
    if stage.prompt.has("snow"):
        top, wet = snow_colour(stage), rgb("#aab6c4")
    nearest = nearest_depth(stage) / 0.6

    def height(across: Plane, depth: Plane) -> Plane:
        bump = sample(bumps, across, depth, scale=2.2) - 0.5
        lean = side * across / depth
        return (0.14 + 0.6 * lean + bump * 0.5) * smooth_step(-depth, -nearest * 2.0, -nearest * 0.9) - 0.05

    def colour(ground: Ground) -> Colours:
        tuft = sample(tufts, ground.across, ground.depth, scale=3.0)
        base = layered(wet, top, smooth_step(ground.height + (tuft - 0.5) * 0.08, 0.0, 0.07))
        return base * (0.58 + 0.4 * tuft[..., None])

    land = Land(nearest * 0.55, nearest * 2.4, height, colour, slices=220, haze_from=6, above_water=True)
    return paint_land(stage, land)
