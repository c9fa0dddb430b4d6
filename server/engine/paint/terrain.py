"""Land in perspective: a height field seen from a little above the ground (the "voxel space" of old flight games).

The field is sampled on slices parallel to the image. Nearer slices hide farther ones, which a running minimum of their
screen rows finds for a whole slice at a time; the light comes from the slope of the field itself. Lengths are in
heights of the camera above the ground, rows in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.colour import WHITE, mix
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Array, Colours, Plane

TEXELS_PER_UNIT: Final = 22.0
"""Pixels of a noise tile for each unit of ground."""
_TILE: Final = 1024
_ROWS_PER_PIXEL: Final = 2  # finer rows than the picture's, averaged: smooth ridges
_FIELD_STEP: Final = 2  # the field is coarser than the picture across: half the work


@dataclass(frozen=True, slots=True)
class Ground:
    """The field on its slices: ``depth`` is ``(slices, 1)``, the planes ``(slices, width)``, nearest slice first.

    ``lit`` in [0, 1] is how much the surface faces the sun, ``slope`` its steepness (1 is 45 degrees).
    """

    depth: Plane
    across: Plane
    height: Plane
    slope: Plane
    lit: Plane


@dataclass(frozen=True, slots=True)
class Land:
    """A stretch of land from depth ``near`` to ``far``.

    ``height(across, depth)`` and ``colour(ground)`` are asked for whole planes. Distance fades to the mood's haze from
    ``haze_from`` on, by a factor e for each ``haze_length``; ``camera`` is the eye's height.
    With ``above_water`` what lies below height 0 stays unpainted, which draws the shore line.
    """

    near: float
    far: float
    height: Callable[[Plane, Plane], Plane]
    colour: Callable[[Ground], Colours]
    slices: int = 420
    haze_from: float = 4.0
    haze_length: float = 22.0
    camera: float = 1.0
    above_water: bool = False


def make_ridged_tile(rng: np.random.Generator, cell: float, *, octaves: int = 6) -> Plane:
    """A tile of sharp crests and valleys in [0, 1]: ridged multifractal noise (Musgrave).

    An octave counts only where the one before has a crest, so that small crests stand on large ones and valleys stay
    smooth.
    """
    total = np.zeros((_TILE, _TILE), np.float32)
    carry, weight, weights = np.ones((_TILE, _TILE), np.float32), 1.0, 0.0
    for octave in range(octaves):
        # Not exactly halved: the grids of all octaves would coincide, and show.
        size = max(3.0, cell / 2.05**octave)
        crest = 1 - np.abs(2 * make_cloud_noise(rng, _TILE, _TILE, size, octaves=1) - 1)
        crest = crest * crest * carry
        total += crest * np.float32(weight)
        carry = np.clip(crest * 1.6, 0, 1)
        weights += weight
        weight *= 0.52
    return total / np.float32(weights)


def make_soft_tile(rng: np.random.Generator, cell: float, *, octaves: int = 4) -> Plane:
    """A tile of rolling noise in [0, 1]."""
    return make_cloud_noise(rng, _TILE, _TILE, cell, octaves=octaves)


def sample_tile(tile: Plane, across: Plane, depth: Plane, *, scale: float = 1.0, turn: float = 0.5) -> Plane:
    """The tile's values at places on the ground; rotated by ``turn`` radians, or its grid shows along the view."""
    cosine, sine = (
        np.float32(np.cos(turn) * TEXELS_PER_UNIT * scale),
        np.float32(np.sin(turn) * TEXELS_PER_UNIT * scale),
    )
    map_x = (across * cosine - depth * sine + _TILE / 2).astype(np.float32)
    map_y = (across * sine + depth * cosine).astype(np.float32)
    return cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def compute_nearest_depth(stage: Stage, *, camera: float = 1.0) -> float:
    """Somewhat nearer than the ground at the bottom of the picture: land from there on leaves no gap."""
    return 0.6 * camera * stage.canvas.unit / max(1.0, stage.canvas.height - stage.horizon)


def paint_land(stage: Stage, land: Land) -> Plane:
    """Paint the land over what is there; returns the row of its skyline in every column."""
    canvas = stage.canvas
    ground = _build_ground(stage, land)
    rows = cv2.resize(_compute_screen_rows(stage, ground, land.camera), (canvas.width, land.slices))
    skyline = rows.min(axis=0)
    top = int(np.clip(np.floor(skyline.min()), 0, canvas.height - 1))
    bottom = int(np.clip(np.ceil(rows[0].max()) + 1, top + 1, canvas.height))
    slices, seen = _find_visible(rows, top, bottom)
    # Column k of the field was computed at 2 k + 0.5 of the picture: hence a quarter less.
    columns = np.broadcast_to(canvas.get_columns() / _FIELD_STEP - np.float32(0.25), slices.shape).astype(np.float32)
    # The fourth channel is the cover: with ``above_water`` it is 1 from height 0 up, and 0 just below.
    field = np.dstack(
        [_colour_ground(stage, land, ground), ground.height * np.float32(40 if land.above_water else 0) + 1]
    )
    image = cv2.remap(field, columns, slices, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    image[..., 3] = np.clip(image[..., 3], 0, 1) * seen
    merged = cv2.resize(image, (canvas.width, bottom - top), interpolation=cv2.INTER_AREA)
    canvas.blend(merged[..., 3], merged[..., :3], top=top, bottom=bottom)
    return skyline


def _compute_screen_rows(stage: Stage, ground: Ground, camera: float) -> Plane:
    return (stage.horizon - stage.canvas.unit * (ground.height - camera) / ground.depth).astype(np.float32)


def _build_ground(stage: Stage, land: Land) -> Ground:
    canvas = stage.canvas
    # Slices in geometric steps are about as many pixels apart near and far; even ones would be all distance.
    depth = np.geomspace(land.near, land.far, land.slices, dtype=np.float32)[:, None]
    columns = np.arange(0.5, canvas.width, _FIELD_STEP, dtype=np.float32)[None, :]
    across = (columns - np.float32(canvas.width / 2)) / np.float32(canvas.unit) * depth
    height = land.height(across, depth).astype(np.float32)
    slope_x = np.gradient(height, axis=1) / (depth * np.float32(_FIELD_STEP / canvas.unit))
    slope_z = np.gradient(height, axis=0) / np.gradient(depth, axis=0)
    light_x, light_y = stage.compute_light_direction(canvas.width / 2, stage.horizon)
    # Lit a little from the viewer's side, or every slope that faces the viewer could be in shade.
    sun = np.array([light_x * 0.9, max(0.35, -light_y * 0.8), -0.35], np.float32)
    sun /= np.linalg.norm(sun)
    steep = np.sqrt(slope_x**2 + slope_z**2)
    facing = (-slope_x * sun[0] + sun[1] - slope_z * sun[2]) / np.sqrt(1 + steep**2)
    return Ground(depth, across, height, steep, np.clip(facing, 0, 1).astype(np.float32))


def _colour_ground(stage: Stage, land: Land, ground: Ground) -> Colours:
    mood = stage.mood
    sunshine = mix(mood.light, WHITE, 0.42) * np.float32(1.1)
    skylight = mix(mood.shade, mood.sky[1], 0.35) * np.float32(0.72)
    sunlit = mix(skylight, sunshine, ground.lit[..., None])
    own = land.colour(ground) * sunlit * np.float32(0.15 + 0.95 * mood.key**0.7)
    distance = 1 - np.exp(-np.clip(ground.depth - land.haze_from, 0, None) / np.float32(land.haze_length))
    # Mist lies low: valleys fade more than peaks.
    low = np.exp(-np.clip(ground.height, 0, None) / np.float32(2.2))
    share = np.clip(distance * (0.72 + 0.3 * low), 0, 0.93)[..., None]
    return np.clip(mix(own, mood.haze, share), 0, 1).astype(np.float32)


def _find_visible(rows: Plane, top: int, bottom: int) -> tuple[Plane, Plane]:
    """For every fine pixel below ``top``: the slice seen there, as a fraction, and whether there is any.

    A slice is seen at a row when it reaches higher than every nearer one. Fractions between neighbouring slices keep
    the colours from stepping.
    """
    slices, width = int(rows.shape[0]), int(rows.shape[1])
    fine = (bottom - top) * _ROWS_PER_PIXEL
    edges = (np.minimum.accumulate(rows, axis=0) - np.float32(top)) * _ROWS_PER_PIXEL
    first = np.clip(np.ceil(edges), 0, fine).astype(np.int32)
    nearest = np.full((fine + 1, width), slices, np.int32)
    columns = np.arange(width, dtype=np.intp)
    # From the farthest on, so that the nearest slice that starts at a row is what stays written there.
    for index in range(slices - 1, -1, -1):
        nearest[first[index], columns] = index
    # A slice covers what is below its top: of all that begin at or above a row the nearest is seen there.
    nearest = np.minimum.accumulate(nearest[:fine], axis=0)
    seen = (nearest < slices).astype(np.float32)
    index = np.minimum(nearest, slices - 1)
    ahead = np.maximum(index - 1, 0)
    upper = np.take_along_axis(edges, index, axis=0)
    lower = np.take_along_axis(edges, ahead, axis=0)
    position = np.arange(fine, dtype=np.float32)[:, None]
    share = np.clip((position - upper) / np.maximum(lower - upper, np.float32(1e-3)), 0, 1)
    return (index - share).astype(np.float32), seen


def mix_planes(first: Array, second: Array, share: Plane) -> Colours:
    """Two colours, or planes of them, mixed by a plane of shares."""
    return mix(first, second, np.clip(share, 0, 1)[..., None])
