"""Outer space: nebulae of noise, stars, and planets with rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.sky import paint_moon, paint_stars
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours, Plane

_NEBULAE = (("#6a3fb5", "#c8478f", "#2a7fb0"), ("#1f8a8c", "#3f5fc0", "#d98a4a"), ("#b0433f", "#e0904a", "#5b3f9c"))


def paint_space(stage: Stage) -> None:
    """Gas lit from within, dust before it, and stars."""
    canvas = stage.canvas
    rng = canvas.make_rng("nebula")
    canvas.image[:] = rgb("#04050d")
    for index, colour in enumerate(_choose_gas_colours(stage, rng)):
        _paint_gas(canvas, rng, colour, strength=(1.0, 0.75, 0.6)[index])
    dust = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit / 2.2, octaves=6)
    canvas.image *= (1 - 0.75 * np.clip((dust - 0.5) * 5, 0, 1))[..., None]
    if "star" not in stage.prompt.unwanted:
        paint_stars(canvas, canvas.height, density=2.4)
    if stage.prompt.has("moon"):
        paint_moon(canvas, (canvas.width * 0.78, canvas.height * 0.2), canvas.unit * 0.07, glow=True)


def _choose_gas_colours(stage: Stage, rng: np.random.Generator) -> list[Colours]:
    noun = stage.prompt.find_scene("space")
    names = (*(noun.colours if noun else ()), *stage.prompt.colours)
    chosen = [get_named_colour(name) for name in names]
    spare = [rgb(value) for value in _NEBULAE[int(rng.integers(len(_NEBULAE)))]]
    if len(chosen) == 1:
        return [chosen[0], mix(chosen[0], spare[1], 0.45), shade_colour(chosen[0], 1.3)]
    return [*chosen, *spare][:3]


def _paint_gas(canvas: Canvas, rng: np.random.Generator, colour: Colours, *, strength: float) -> None:
    """One cloud of gas: broad noise broken into filaments by ridged noise, brightest near a centre of its own."""
    shape = (canvas.height, canvas.width)
    broad = make_cloud_noise(rng, *shape, canvas.unit / 1.5, octaves=6, persistence=0.55)
    folds = 1 - np.abs(2 * make_cloud_noise(rng, *shape, canvas.unit / 2.4, octaves=5) - 1)
    centre_x, centre_y = rng.uniform(0.2, 0.8) * canvas.width, rng.uniform(0.2, 0.8) * canvas.height
    reach = np.float32(0.62 * canvas.unit)
    away = ((canvas.get_columns() - np.float32(centre_x)) / reach) ** 2 + (
        (canvas.get_rows() - np.float32(centre_y)) / reach
    ) ** 2
    veil = np.clip((broad - 0.4) * 2.6, 0, 1) ** 1.3 * (0.25 + 0.75 * folds**4) * np.exp(-away)
    light = veil[..., None] * np.float32(strength * 1.5)
    glow = light * colour + light**3 * np.float32(0.35)
    canvas.image += (1 - canvas.image) * np.clip(glow, 0, 1)


def paint_planet(stage: Stage, place: Place) -> None:
    """A banded planet, its night side dark; the first has rings that pass behind and before it."""
    canvas, radius = stage.canvas, place.size / 2
    centre = (place.x, place.y - radius)
    colour = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    if stage.mood.time not in {"space", "alone"}:
        colour = mix(colour, stage.mood.haze, 0.35)
    rng = canvas.make_rng(f"planet{place.index}")
    has_rings = place.index == 0
    tilt = float(rng.uniform(-24, 24))
    light = np.array([-0.6, -0.42, 0.68], np.float32)
    canvas.glow(centre, radius * 1.05, colour, strength=0.3)
    if has_rings:
        _paint_rings(canvas, centre, radius, colour, tilt, before=False)
    _paint_globe(canvas, centre, radius, colour, light, rng)
    if has_rings:
        _paint_rings(canvas, centre, radius, colour, tilt, before=True)


def _paint_globe(
    canvas: Canvas, centre: tuple[float, float], radius: float, colour: Colours, light: Plane, rng: np.random.Generator
) -> None:
    x0, y0 = max(0, int(centre[0] - radius - 1)), max(0, int(centre[1] - radius - 1))
    x1, y1 = min(canvas.width, int(centre[0] + radius + 2)), min(canvas.height, int(centre[1] + radius + 2))
    if x1 <= x0 or y1 <= y0:
        return
    columns = (np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(centre[0])) / np.float32(radius)
    rows = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(centre[1])) / np.float32(radius)
    from_centre = np.sqrt(columns**2 + rows**2)
    # The height of a unit sphere above its disc, which is also the third component of its normal.
    bulge = np.sqrt(np.clip(1 - from_centre**2, 0, 1))
    facing = np.clip(columns * light[0] + rows * light[1] + bulge * light[2], 0, 1)
    swirl = make_cloud_noise(rng, y1 - y0, x1 - x0, radius * 0.5, octaves=4, stretch=2.6) - np.float32(0.5)
    bands = 0.5 + 0.5 * np.sin((rows * 9 + swirl * 5.5) * (1 + 0.25 * bulge))
    pale = mix(colour, rgb("#fff4e2"), 0.5)
    surface = mix(shade_colour(colour, 0.7), pale, bands[..., None])
    lit = surface * (0.03 + 1.12 * facing)[..., None]
    rim = ((1 - bulge) ** 3 * facing)[..., None] * mix(colour, rgb("#ffffff"), 0.6)
    cover = np.clip((1 - from_centre) * np.float32(radius), 0, 1)[..., None]
    view = canvas.image[y0:y1, x0:x1]
    view += (np.clip(lit + rim, 0, 1) - view) * cover


def _paint_rings(
    canvas: Canvas, centre: tuple[float, float], radius: float, colour: Colours, tilt: float, *, before: bool
) -> None:
    """Half of the rings: the far half is painted before the globe, which shades it, the near half after the globe."""
    angle = np.radians(tilt)
    reach = radius * 2.25
    x0, x1 = int(max(0, centre[0] - reach)), int(min(canvas.width, centre[0] + reach))
    y0, y1 = int(max(0, centre[1] - reach)), int(min(canvas.height, centre[1] + reach))
    if x1 <= x0 or y1 <= y0:
        return
    columns = (np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(centre[0])) / np.float32(radius)
    rows = (np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(centre[1])) / np.float32(radius)
    along = columns * np.float32(np.cos(angle)) + rows * np.float32(np.sin(angle))
    # Divided by the flattening, the ellipse of the rings is a circle, and the distance tells the ring.
    aside = (rows * np.float32(np.cos(angle)) - columns * np.float32(np.sin(angle))) / np.float32(0.27)
    distance = np.sqrt(along**2 + aside**2)
    grooves = np.interp(distance.ravel(), *_compute_ring_profile(canvas)).reshape(distance.shape).astype(np.float32)
    half = (aside > 0) if before else (aside <= 0)
    shadow = np.where(
        (np.abs(aside) > 0) & (along > 0.1) & (np.abs(rows) < 0.75) & (not before), np.float32(0.35), np.float32(1)
    )
    tint = mix(mix(colour, rgb("#fff1dc"), 0.6), shade_colour(colour, 0.6), grooves[..., None] ** 2)
    view = canvas.image[y0:y1, x0:x1]
    view += (tint * shadow[..., None] - view) * (grooves * half * np.float32(0.88))[..., None]


def _compute_ring_profile(canvas: Canvas) -> tuple[Plane, Plane]:
    """How dense the rings are at each distance from the centre, with a gap."""
    distance = np.linspace(1.0, 2.3, 160)
    density = 0.35 + 0.65 * make_cloud_noise(canvas.make_rng("rings"), 1, 160, 14, octaves=3)[0]
    density = density * np.clip((distance - 1.28) * 25, 0, 1) * np.clip((2.15 - distance) * 18, 0, 1)
    density = density * (1 - 0.9 * np.exp(-(((distance - 1.83) / 0.028) ** 2)))
    return distance, density
