"""Water: what is painted above it mirrored in waves that recede to the horizon, and whitecaps in a storm.

Waves are a noise tile projected onto a horizontal plane; their heights shift the rows and columns the mirror image is
read from. Paint everything that is to be mirrored first; boats bring mirror images of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.colour import WHITE, mix
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours, Plane

_TILE: Final = 640


def paint_water(stage: Stage, top: int, water_colour: Colours, *, roughness: float) -> None:
    """Fill the rows from ``top`` down with water; roughness goes from 0 (a mirror) to 1 (a storm)."""
    canvas, mood = stage.canvas, stage.mood
    rows = canvas.height - top
    if rows < 2:
        return
    waves = _compute_waves(stage, top, roughness)
    below = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    image = _mirror_scene(stage, top, waves, below, roughness)
    deep = mood.apply_light(water_colour)
    # More of the water's own colour near the eye, where one looks into it steeply; far away it mirrors.
    share = (0.18 + 0.42 * roughness + (0.34 - 0.1 * roughness) * below)[..., None]
    image = mix(image * np.float32(0.94), deep, share)
    body = 1 + (waves * (0.25 + 0.9 * roughness) * (0.35 + 0.65 * below))[..., None]
    image *= np.clip(body, 0.35, 1.6)
    _paint_glitter(stage, image, waves, below)
    if roughness > 0.6:
        _paint_whitecaps(stage, image, waves, below)
    canvas.image[top:] = np.clip(image, 0, 1)
    canvas.blend(_compute_horizon_haze(rows, canvas.unit), mood.haze, top=top)


def _compute_waves(stage: Stage, top: int, roughness: float) -> Plane:
    """Heights of the waves, about -0.5 to 0.5, flatter and smaller with distance."""
    canvas = stage.canvas
    rng = canvas.make_rng("waves")
    rows = canvas.height - top
    below = np.arange(rows, dtype=np.float32)[:, None] / np.float32(canvas.unit)
    # Depth is one over the distance below the horizon; the addend keeps the first row from lying at infinity.
    depth = np.float32(0.3) / (below + np.float32(0.022))
    across = (canvas.get_columns() - np.float32(canvas.width / 2)) / np.float32(canvas.unit) * depth
    octaves = 4 if roughness < 0.6 else 5
    tile = make_cloud_noise(rng, _TILE, _TILE, 46 + 50 * roughness, octaves=octaves, stretch=1.7, persistence=0.55)
    # Folded at its middle: soft swells become crests.
    if roughness > 0.6:
        tile = 1 - np.abs(2 * tile - 1) ** 1.2
        tile = (tile - tile.mean()) * np.float32(0.9) + np.float32(0.5)
    map_x = (across * 95 + np.float32(rng.uniform(0, _TILE))).astype(np.float32)
    map_y = np.broadcast_to(depth * 150 + across * 6 * np.float32(roughness), map_x.shape).astype(np.float32)
    waves = cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) - np.float32(0.5)
    return waves * np.clip(below / np.float32(0.05), 0.25, 1)


def _mirror_scene(stage: Stage, top: int, waves: Plane, below: Plane, roughness: float) -> Colours:
    canvas = stage.canvas
    rows = canvas.height - top
    reach = canvas.unit * (0.006 + (0.05 + 0.22 * roughness) * below)
    columns = canvas.get_columns() + waves * reach * np.float32(0.5)
    # Mirrored rows, displaced by the waves and more so downwards; the absolute value keeps them above the water.
    lines = top - 1 - np.abs(np.arange(rows, dtype=np.float32)[:, None] + waves * reach * np.float32(1.6))
    lines = np.clip(lines, 0, top - 1)
    return cv2.remap(
        _blur_above_water(stage, top),
        np.broadcast_to(columns, (rows, canvas.width)).astype(np.float32),
        lines.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )


def _blur_above_water(stage: Stage, top: int) -> Colours:
    """What is above the water, blurred the more the higher: with sharp outlines the water would look like glass."""
    canvas = stage.canvas
    above = canvas.image[:top]
    soft = cv2.GaussianBlur(above, (0, 0), sigmaX=canvas.unit * 0.003, sigmaY=canvas.unit * 0.007)
    share = np.clip((top - canvas.get_rows()[:top]) / np.float32(canvas.unit * 0.06), 0, 1)
    return mix(above, soft, share[..., None])


def _paint_glitter(stage: Stage, image: Colours, waves: Plane, below: Plane) -> None:
    """The sun's or the moon's path on the water."""
    canvas, mood = stage.canvas, stage.mood
    if mood.is_stormy:
        return
    # The path widens towards the eye.
    width = canvas.unit * (0.035 + 0.16 * below)
    path = np.exp(-(((canvas.get_columns() - np.float32(stage.sun[0])) / width) ** 2))
    sparkle = np.clip((waves - 0.04) * 4.5, 0, 1) * path * np.float32(0.85 if mood.time != "day" else 0.5)
    image += (1 - image) * sparkle[..., None] * mood.light


def _paint_whitecaps(stage: Stage, image: Colours, waves: Plane, below: Plane) -> None:
    """Foam on the crests and torn lace behind them."""
    canvas = stage.canvas
    rng = canvas.make_rng("foam")
    lace = make_cloud_noise(rng, waves.shape[0], canvas.width, canvas.unit / 38, octaves=4, stretch=2.6)
    crest = np.clip((waves - 0.17) * 7, 0, 1) * np.clip((lace - 0.36) * 5, 0, 1)
    foam = (crest * (0.35 + 0.6 * below))[..., None]
    image += (mix(stage.mood.light, WHITE, 0.3) * np.float32(0.92) - image) * foam


def _compute_horizon_haze(rows: int, unit: float) -> Plane:
    line = np.arange(rows, dtype=np.float32)[:, None]
    return np.exp(-line / np.float32(unit * 0.018)) * np.float32(0.55)
