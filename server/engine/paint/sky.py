"""Skies: a gradient, clouds in perspective, sun, moon, stars, aurora, rainbow, lightning, comet.

The order of painting is that of distance, so that clouds cover the moon and a rainbow stands before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas, Point, build_ellipse, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, make_gradient, mix, rgb
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.colour import Mood
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Plane

_TILE: Final = 640
_RAINBOW: Final = ("#d9534f", "#f0883e", "#f4d35e", "#5cb85c", "#3b8ed0", "#5e5aa8")


def paint_sky(stage: Stage) -> None:
    """Fill the canvas: sky down to the horizon, and its lowest colour below, where land and water go."""
    canvas, mood, prompt = stage.canvas, stage.mood, stage.prompt
    horizon = max(2, min(canvas.height, stage.horizon))
    canvas.image[:horizon] = make_gradient(mood.sky, horizon)[:, None]
    canvas.image[horizon:] = mood.sky[-1]
    if mood.time == "night" and not mood.is_stormy and "star" not in prompt.unwanted:
        paint_stars(canvas, horizon, density=1.6 if prompt.has("star", "space") else 1.0)
    if prompt.has("aurora"):
        _paint_aurora(canvas, horizon)
    _paint_sun_or_moon(stage)
    if not prompt.has("clear"):
        _paint_clouds(stage)
    if prompt.has("rainbow"):
        _paint_rainbow(stage)
    if prompt.has("lightning") or (mood.is_stormy and canvas.make_rng("lightning").random() < 0.35):
        _paint_lightning(stage)
    if prompt.has("comet"):
        _paint_comet(canvas, horizon)


def choose_sun_position(canvas: Canvas, mood: Mood, horizon: int) -> Point:
    """Where the sun or the moon stands at that hour, in pixels; low at dawn and sunset."""
    rng = canvas.make_rng("sun")
    x = canvas.width * rng.uniform(0.16, 0.84)
    low, high = {"sunset": (0.74, 0.93), "dawn": (0.66, 0.88), "night": (0.2, 0.42)}.get(mood.time, (0.14, 0.3))
    return float(x), float(horizon * rng.uniform(low, high))


def paint_stars(canvas: Canvas, bottom: int, *, density: float) -> None:
    """Scatter stars, most of them faint, over the rows above ``bottom``.

    ``density`` 1 is 900 stars on 960 x 600; the count goes with the area in units of the shorter side, so that a
    larger image shows the same sky and not a fuller one.
    """
    rng = canvas.make_rng("stars")
    scale = canvas.unit / 960
    count = int(900 * density * canvas.width * bottom / (960 * 600) / scale**2)
    columns = rng.integers(0, canvas.width, count)
    rows = (rng.random(count) ** 1.2 * bottom * 0.98).astype(np.intp)
    brightness = (rng.random(count) ** 5 * 0.9 + 0.12).astype(np.float32)
    fade = np.clip(1.15 - rows / bottom, 0, 1).astype(np.float32)
    hue = mix(rgb("#cfe0ff"), rgb("#fff0d8"), rng.random((count, 1), dtype=np.float32))
    light = np.zeros_like(canvas.image)
    light[rows, columns] = hue * (brightness * fade)[:, None]
    for index in np.argsort(brightness)[-int(40 * density) :]:
        centre = (float(columns[index]), float(rows[index]))
        canvas.glow(centre, scale * rng.uniform(2.0, 4.5), hue[index], strength=0.8)
    if scale > 1.2:
        light = cv2.GaussianBlur(light, (0, 0), scale * 0.5) * np.float32(2 * scale)
    # The brighter of the two and not the sum: a star before the moon must not be seen.
    np.maximum(canvas.image, light, out=canvas.image)


def _paint_sun_or_moon(stage: Stage) -> None:
    """The sun or the moon with its halo."""
    canvas, mood = stage.canvas, stage.mood
    has_moon = stage.prompt.has("moon")
    if ("moon" if mood.time == "night" else "sun") in stage.prompt.unwanted:
        return
    if mood.is_stormy:
        canvas.glow(stage.sun, canvas.unit * 0.2, mood.sky[-1], strength=0.35)
        return
    if mood.time == "night":
        paint_moon(canvas, stage.sun, canvas.unit * (0.062 if has_moon else 0.036), glow=True)
        return
    if mood.time == "day":
        canvas.glow(stage.sun, canvas.unit * 0.13, rgb("#fff6d8"), strength=0.9)
        if stage.prompt.has("sun"):
            canvas.ellipse(stage.sun, canvas.unit * 0.045, colour=rgb("#fffbe6"), blur=1.5)
    else:
        canvas.glow(stage.sun, canvas.unit * 0.26, mood.light, strength=0.85)
        canvas.ellipse(stage.sun, canvas.unit * 0.052, colour=mix(mood.light, WHITE, 0.72), blur=1.2)
    if has_moon:
        opposite = (canvas.width - stage.sun[0], stage.horizon * 0.2)
        paint_moon(canvas, opposite, canvas.unit * 0.04, glow=False)


def paint_moon(canvas: Canvas, centre: Point, radius: float, *, glow: bool) -> None:
    """Paint a full moon, with its halo or pale as by day."""
    if glow:
        canvas.glow(centre, radius * 3.2, rgb("#aebfe8"), strength=0.75)
    face = canvas.create_layer(
        centre[0] - radius - 2, centre[1] - radius - 2, centre[0] + radius + 3, centre[1] + radius + 3
    )
    face.ellipse(centre, radius, colour=rgb("#f6f1e1"))
    rng = canvas.make_rng("moon")
    for _ in range(9):
        angle, out = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.62) * radius
        spot = (centre[0] + np.cos(angle) * out, centre[1] + np.sin(angle) * out)
        face.ellipse(spot, radius * rng.uniform(0.08, 0.26), colour=rgb("#d9d5c9"))
    face.texture(rng, radius * 0.6, 0.08)
    canvas.lay(face, opacity=1.0 if glow else 0.55, blur=max(0.5, radius * 0.025))


def _paint_clouds(stage: Stage) -> None:
    """Clouds on a plane that recedes to the horizon, lit from the sun's side.

    The light is the density less the density a few texels towards the sun: cheap, and enough for a bright rim.
    """
    canvas, mood = stage.canvas, stage.mood
    rng = canvas.make_rng("clouds")
    coverage = _choose_coverage(stage, rng)
    tile = _make_cloud_tile(rng, stormy=mood.is_stormy)
    side = 7.0 if stage.sun[0] > canvas.width / 2 else -7.0
    shift = np.array([[1, 0, -side], [0, 1, 9]], np.float32)
    relief = tile - cv2.warpAffine(tile, shift, (_TILE, _TILE), borderMode=cv2.BORDER_REFLECT)
    sampled = _project_ceiling(stage, np.dstack([tile, relief]), rng)
    density, lit = sampled[..., 0], np.clip(0.5 + sampled[..., 1] * (3.4 if mood.is_stormy else 6.5), 0, 1)
    softness = 0.2 if not mood.is_stormy else 0.34
    threshold = 0.66 - (0.42 if mood.is_stormy else 0.3) * coverage
    cover = np.clip((density - threshold) / softness, 0, 1)
    cover = cover * cover * (3 - 2 * cover)
    bright, dark = _choose_cloud_colours(mood)
    thick = np.clip((density - threshold) / 0.4, 0, 1)
    lit = np.clip(lit - thick * (0.25 if not mood.is_stormy else 0.42), 0, 1)
    near_sun = _compute_sun_nearness(stage, density.shape[0])
    colour = mix(dark, bright, np.clip(lit + near_sun * 0.45, 0, 1)[..., None])
    strength = {"night": 0.5, "storm": 0.97}.get("storm" if mood.is_stormy else mood.time, 0.88)
    canvas.blend((cover * np.float32(strength)).astype(np.float32), colour, bottom=density.shape[0])


def _make_cloud_tile(rng: np.random.Generator, *, stormy: bool) -> Plane:
    """Cloud density on the tile: soft, or heaped up in a storm."""
    tile = make_cloud_noise(rng, _TILE, _TILE, 150, octaves=6, stretch=1.15, persistence=0.55)
    if not stormy:
        return tile
    heaps = 1 - np.abs(2 * make_cloud_noise(rng, _TILE, _TILE, 105, octaves=5, persistence=0.55) - 1) ** 0.8
    return (0.45 * tile + 0.55 * (1 - heaps)).astype(np.float32)


def _choose_coverage(stage: Stage, rng: np.random.Generator) -> float:
    if stage.mood.is_stormy:
        return 1.0
    if stage.prompt.has("cloudy", "rain"):
        return 0.85
    return float(rng.uniform(0.25, 0.62)) * (0.7 if stage.prompt.has("calm") else 1.0)


def _project_ceiling(stage: Stage, tile: Plane, rng: np.random.Generator) -> Plane:
    """The tile (any channels) seen as a ceiling from below, as far down as the horizon: small and flat near it."""
    canvas, horizon = stage.canvas, max(2, min(stage.horizon, stage.canvas.height))
    rows = np.arange(horizon, dtype=np.float32)[:, None]
    above = (horizon - rows) / np.float32(canvas.unit)
    depth = np.float32(0.42) / (above + np.float32(0.13))
    across = (canvas.get_columns() - np.float32(canvas.width / 2)) / np.float32(canvas.unit) * depth
    start_x, start_y = rng.uniform(0, _TILE, 2)
    scale = np.float32(250 if stage.mood.is_stormy else 155)
    map_x = (across * scale + np.float32(start_x)).astype(np.float32)
    map_y = np.broadcast_to(depth * scale * np.float32(1.25) + np.float32(start_y), map_x.shape).astype(np.float32)
    if stage.mood.is_stormy:
        swirl = make_cloud_noise(rng, horizon, canvas.width, canvas.unit * 0.4, octaves=2) - np.float32(0.5)
        map_x += swirl * 40
        map_y += swirl * 25
    return cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _compute_sun_nearness(stage: Stage, rows: int) -> Plane:
    """1 at the sun, falling to 0 away from it."""
    canvas = stage.canvas
    columns = (canvas.get_columns() - np.float32(stage.sun[0])) / np.float32(canvas.unit * 0.4)
    down = (np.arange(rows, dtype=np.float32)[:, None] - np.float32(stage.sun[1])) / np.float32(canvas.unit * 0.3)
    return np.exp(-(columns**2)) * np.exp(-(down**2))


def _choose_cloud_colours(mood: Mood) -> tuple[Plane, Plane]:
    if mood.is_stormy:
        return mix(mood.sky[-1], WHITE, 0.12), mood.sky[0] * np.float32(0.72)
    if mood.time == "night":
        return mix(mood.haze, mood.light, 0.35), mood.sky[1]
    if mood.time == "day":
        return mix(mood.light, WHITE, 0.7), mix(mood.haze, mood.shade, 0.4)
    return mix(mood.light, mood.sky[-1], 0.35), mix(mood.sky[1], mood.shade, 0.35)


def _paint_rainbow(stage: Stage) -> None:
    canvas = stage.canvas
    radius = canvas.unit * 0.52
    # A rainbow stands opposite to the sun.
    centre_x = canvas.width - stage.sun[0]
    angles = np.linspace(np.pi, 2 * np.pi, 72)
    for index, value in enumerate(_RAINBOW):
        ring = radius - index * canvas.unit * 0.011
        arc = np.stack([centre_x + ring * np.cos(angles), stage.horizon + ring * np.sin(angles)], axis=1)
        canvas.line(arc, rgb(value), canvas.unit * 0.014, opacity=0.34, blur=canvas.unit * 0.004)


def _paint_aurora(canvas: Canvas, horizon: int) -> None:
    """Curtains of green and violet light: folded lines with long rays above them."""
    rng = canvas.make_rng("aurora")
    across = np.linspace(0, 1, canvas.width, dtype=np.float32)
    rows = np.arange(horizon, dtype=np.float32)[:, None]
    for colour in (rgb("#3fe0a0"), rgb("#58e8c0"), rgb("#9a6cf0")):
        phase, turns, level = rng.uniform(0, 6.28), rng.uniform(1.2, 2.6), rng.uniform(0.5, 0.85)
        fold = np.sin(across * 6.28 * turns + phase) * 0.07 + np.sin(across * 6.28 * turns * 2.3 + phase) * 0.03
        # Two sines of unrelated frequency fold the foot of the curtain without a visible period.
        foot = (level + fold) * horizon
        rays = 0.15 + 1.1 * make_cloud_noise(rng, 1, canvas.width, canvas.unit / 9, octaves=5)[0] ** 1.5
        height = (foot - rows) / np.float32(horizon * 0.5)
        rise = np.clip(height / np.float32(0.16), 0, 1)
        curtain = rise * rise * np.exp(-np.clip(height, 0, None) * 2.6)
        light = (curtain * rays[None, :] * np.float32(0.95))[..., None] * colour
        canvas.image[:horizon] += (1 - canvas.image[:horizon]) * light


def _paint_lightning(stage: Stage) -> None:
    """One bolt with branches, from the clouds to the horizon."""
    canvas = stage.canvas
    rng = canvas.make_rng("bolt")
    x = float(canvas.width - stage.sun[0]) * rng.uniform(0.85, 1.1)
    bolt = _make_bolt(rng, (x, 0.0), stage.horizon, canvas.unit * 0.028)
    canvas.glow((bolt[len(bolt) // 3][0], bolt[len(bolt) // 3][1]), canvas.unit * 0.2, rgb("#b8c4ff"), strength=0.5)
    for start in rng.choice(len(bolt) - 4, 3, replace=False):
        root = (float(bolt[start][0]), float(bolt[start][1]))
        branch = _make_bolt(rng, root, root[1] + stage.horizon * rng.uniform(0.15, 0.3), canvas.unit * 0.04)
        canvas.line(branch, rgb("#d8deff"), canvas.unit * 0.0012, opacity=0.8)
    canvas.line(bolt, rgb("#aab4ff"), canvas.unit * 0.01, opacity=0.5, blur=canvas.unit * 0.006)
    canvas.line(bolt, WHITE, canvas.unit * 0.0028)


def _make_bolt(rng: np.random.Generator, start: Point, bottom: float, sway: float) -> Plane:
    rows = np.linspace(start[1], bottom, 22)
    # A random walk: each bend starts where the last one ended.
    steps = rng.normal(0, sway, len(rows)).cumsum() * 0.45
    return np.stack([start[0] + steps - steps[0], rows], axis=1)


def _paint_comet(canvas: Canvas, horizon: int) -> None:
    rng = canvas.make_rng("comet")
    head = (canvas.width * rng.uniform(0.25, 0.5), horizon * rng.uniform(0.35, 0.55))
    tail = (head[0] + canvas.unit * 0.42, head[1] - canvas.unit * 0.22)
    width = canvas.unit * 0.012
    canvas.poly(
        [(head[0], head[1] - width), tail, (head[0], head[1] + width)], rgb("#cfe4ff"), opacity=0.55, blur=width
    )
    canvas.line(smooth_curve([head, tail]), WHITE, canvas.unit * 0.002, opacity=0.5)
    canvas.glow(head, canvas.unit * 0.02, WHITE, strength=1.0)
    canvas.poly(build_ellipse(head, canvas.unit * 0.006), WHITE)
