"""Still life: a table before a wall, and the things on it, lit from the upper left.

Vases, bottles and bowls are bodies of revolution given by a profile and shaded as such; the rest is outlines.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, mix, rgb, shade_colour, tint_colour
from atelier_mcp.server.engine.paint.cut_flowers import paint_flowers, paint_stems
from atelier_mcp.server.engine.paint.stage import parse_points
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas, Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours, Plane

TABLE_TOP: Final = 0.66
"""Where the table begins, as a share of the height."""
_WALLS: Final = ("#c8bba8", "#9fb0ad", "#b9a08f", "#8793a0", "#5d6b66")
_FRUIT: Final = {
    "apple": ("#b8322a", "#c9482f", "#9fae3e"),
    "orange fruit": ("#e8862a", "#ee9a3a", "#df7720"),
    "lemon": ("#efd04a", "#e8c438", "#f2da62"),
    "pear": ("#b7b348", "#c9b64a", "#a3a444"),
}


def paint_room(stage: Stage) -> None:
    """The wall with a pool of light, and a table of wood or with a cloth."""
    canvas = stage.canvas
    rng = canvas.make_rng("room")
    wall = rgb(_WALLS[int(rng.integers(len(_WALLS)))])
    if stage.prompt.colours:
        wall = tint_colour(wall, get_named_colour(stage.prompt.colours[0]), 0.55)
    # A candle shows its light in the dark only.
    if stage.prompt.time_of_day == "night" or stage.prompt.has("candle"):
        wall = wall * np.float32(0.32)
    top = int(canvas.height * TABLE_TOP)
    plaster = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit / 2, octaves=5)
    away = np.hypot(
        canvas.get_columns() - np.float32(canvas.width * 0.24), canvas.get_rows() - np.float32(canvas.height * 0.2)
    )
    pool = np.clip(1.22 - 0.62 * away / np.float32(max(canvas.width, canvas.height) * 0.9), 0.5, 1.3)
    canvas.image[:] = wall * (pool * (0.88 + 0.24 * plaster))[..., None]
    _paint_table(stage, rng, top)


def _paint_table(stage: Stage, rng: np.random.Generator, top: int) -> None:
    canvas = stage.canvas
    rows = canvas.height - top
    noun = stage.prompt.find_scene("still life")
    wood = get_named_colour(noun.colours[0]) if noun and noun.colours else rgb("#7f5739")
    # Grain of wood: noise drawn out along the table.
    broad = make_cloud_noise(rng, rows, canvas.width, canvas.unit / 26, octaves=3, stretch=18)
    fine = make_cloud_noise(rng, rows, canvas.width, canvas.unit / 110, octaves=2, stretch=26)
    tone = (0.6 + 0.5 * broad + 0.2 * fine) * np.linspace(1.1, 0.72, rows, dtype=np.float32)[:, None]
    across = 1.12 - 0.4 * canvas.get_columns() / np.float32(canvas.width)
    light = np.float32(0.45 if stage.prompt.time_of_day == "night" or stage.prompt.has("candle") else 1.0)
    canvas.image[top:] = wood * (tone * across * light)[..., None]
    edge = [(0.0, float(top)), (float(canvas.width), float(top))]
    canvas.line(edge, wood * np.float32(0.4), canvas.unit * 0.004, opacity=0.7, blur=canvas.unit * 0.002)
    canvas.line(
        [(x, y + canvas.unit * 0.004) for x, y in edge], mix(wood, WHITE, 0.35), canvas.unit * 0.003, opacity=0.35
    )


def cast_shadow(canvas: Canvas, x: float, y: float, half: float) -> None:
    """A contact shadow, without which things float, and a longer one away from the light."""
    dark = rgb("#120a06")
    canvas.ellipse(
        (x + half * 0.55, y - half * 0.02), half * 1.25, half * 0.2, colour=dark, opacity=0.42, blur=half * 0.12
    )
    canvas.ellipse((x + half * 0.08, y), half * 0.85, half * 0.1, colour=dark, opacity=0.5, blur=half * 0.05)


def paint_fruit(stage: Stage, place: Place) -> None:
    """An apple, an orange, a lemon or a pear; its size is its height."""
    canvas, size = stage.canvas, place.size
    kinds = _FRUIT[place.noun.name]
    own = place.noun.colours
    colour = get_named_colour(own[place.index % len(own)]) if own else rgb(kinds[place.index % len(kinds)])
    rng = canvas.make_rng(f"{place.noun.name}{place.index}")
    cast_shadow(canvas, place.x, place.y - size * 0.03, size * 0.48)
    layer = canvas.create_layer(
        place.x - size * 0.75, place.y - size * 1.3, place.x + size * 0.75, place.y + size * 0.06
    )
    layer.poly(smooth_curve(place.to_canvas_points(*_get_fruit_outline(place.noun.name)), closed=True), colour)
    layer.texture(rng, size * 0.22, 0.14)
    # The pores of the peel.
    if place.noun.name in {"orange fruit", "lemon"}:
        layer.texture(rng, size * 0.022, 0.1)
    # Only where the colour was left open: a green apple that was asked for has no yellow cheek.
    if place.noun.name == "apple" and not own:
        # Without a margin the painted part is the layer's own plane and no copy, so it can be changed in place.
        _add_blush(layer.get_painted_part()[0], rng)
    # Before the stalk and its leaf, which are no part of the ball.
    layer.shade_ball((place.x - size * 0.16, place.y - size * 0.62), size * 0.78)
    _paint_stalk(place, layer)
    canvas.lay(layer)
    canvas.ellipse(
        place.to_canvas(-0.17, 0.68),
        size * 0.085,
        size * 0.055,
        colour=WHITE,
        opacity=0.75,
        blur=size * 0.022,
        degrees=-35,
    )


def _get_fruit_outline(name: str) -> list[tuple[float, float]]:
    if name == "apple":
        return [
            *parse_points(
                "0,0.88 0.16,0.94 0.4,0.86 0.5,0.6 0.43,0.27 0.22,0.03 0,0.05 -0.22,0.03 -0.43,0.27 "
                "-0.5,0.6 -0.4,0.86 -0.16,0.94"
            )
        ]
    if name == "pear":
        return [
            *parse_points(
                "0,1.08 0.13,1.0 0.19,0.72 0.4,0.44 0.42,0.2 0.2,0.01 -0.2,0.01 -0.42,0.2 -0.4,0.44 "
                "-0.19,0.72 -0.13,1.0"
            )
        ]
    if name == "lemon":
        return [*parse_points("0.62,0.36 0.42,0.6 0,0.72 -0.42,0.6 -0.6,0.36 -0.42,0.12 0,0.01 0.42,0.12")]
    return [(0, 0.9), (0.34, 0.8), (0.48, 0.45), (0.34, 0.1), (0, 0.0), (-0.34, 0.1), (-0.48, 0.45), (-0.34, 0.8)]


def _add_blush(skin: Colours, rng: np.random.Generator) -> None:
    """A yellow cheek on an apple, streaked from the stalk down; ``skin`` is premultiplied RGBA, changed in place."""
    colours, cover = skin[..., :3], skin[..., 3]
    height, width = cover.shape
    streaks = make_cloud_noise(rng, height, width, width / 6, octaves=3, stretch=0.3)
    cheek = np.clip((streaks - 0.48) * 1.4, 0, 0.4) * cover
    colours += (rgb("#e0b04a") * cover[..., None] - colours) * cheek[..., None]


def _paint_stalk(place: Place, layer: Layer) -> None:
    if place.noun.name == "lemon":
        return
    size = place.size
    if place.noun.name == "orange fruit":
        layer.ellipse(place.to_canvas(0, 0.885), size * 0.035, size * 0.018, colour=rgb("#5a7035"))
        return
    top = 1.06 if place.noun.name == "pear" else 0.88
    layer.taper(
        smooth_curve(place.to_canvas_points((0, top), (0.02, top + 0.1), (0.07, top + 0.18))),
        rgb("#4a3324"),
        size * 0.026,
        size * 0.036,
    )
    if place.index % 2 == 0:
        leaf = smooth_curve(
            place.to_canvas_points((0.03, top + 0.08), (0.16, top + 0.2), (0.34, top + 0.17), (0.2, top + 0.06)),
            closed=True,
        )
        layer.poly(leaf, rgb("#5c8a3c"))
        layer.line(place.to_canvas_points((0.04, top + 0.085), (0.32, top + 0.165)), rgb("#8bb05e"), size * 0.007)


def paint_turned_body(stage: Stage, place: Place, profile: Plane, colour: Colours, *, gloss: float = 0.5) -> None:
    """A body of revolution: ``profile`` holds its half widths in pixels from the top row to the foot."""
    canvas = stage.canvas
    rows, half = len(profile), int(np.ceil(profile.max())) + 2
    x0, y0 = int(place.x) - half, int(place.y) - rows
    columns = (np.arange(2 * half, dtype=np.float32) - np.float32(half - (place.x - int(place.x))))[None, :]
    radius = profile[:, None].astype(np.float32)
    across = np.clip(columns / np.maximum(radius, 1e-3), -1, 1)
    bulge = np.sqrt(1 - across**2)
    lit = np.clip(-0.62 * across + 0.62 * bulge, 0, 1)
    # Diffuse light from the upper left, a highlight, and light bounced back by the table on the dark side.
    shine = np.exp(-(((across + 0.46) / 0.1) ** 2)) * gloss
    bounce = np.exp(-(((across - 0.86) / 0.12) ** 2)) * 0.16
    cover = np.clip(radius - np.abs(columns) + 0.5, 0, 1)
    tone = np.clip(colour * (0.2 + 0.98 * lit + bounce)[..., None] + shine[..., None] * WHITE, 0, 1)
    foot = float(profile[-1])
    # The foot is an ellipse: a straight end would look as if seen edge-on.
    canvas.ellipse((place.x, place.y - 1), foot, foot * 0.13, colour=shade_colour(colour, 0.32))
    _paste(canvas, x0, y0, tone, cover)


def _paste(canvas: Canvas, x0: int, y0: int, tone: Colours, cover: Plane) -> None:
    height, width = cover.shape
    left, right = max(0, x0), min(canvas.width, x0 + width)
    top, bottom = max(0, y0), min(canvas.height, y0 + height)
    if right <= left or bottom <= top:
        return
    part = np.s_[top - y0 : bottom - y0, left - x0 : right - x0]
    view = canvas.image[top:bottom, left:right]
    view += (tone[part] - view) * cover[part][..., None]


def _make_profile(size: float, widths: list[float]) -> Plane:
    """Half widths in pixels along ``size`` rows, smooth through evenly spaced shares of the size."""
    rows = max(4, int(size))
    knots = smooth_curve([(index, width) for index, width in enumerate(widths)], steps=16)
    return np.interp(np.linspace(0, len(widths) - 1, rows), knots[:, 0], knots[:, 1]).astype(np.float32) * np.float32(
        size
    )


def paint_vase(stage: Stage, place: Place, *, flowers: bool, blossoms: Place) -> None:
    """A turned vase; with a bouquet when there are flowers, whose noun ``blossoms`` carries."""
    canvas, size = stage.canvas, place.size
    colour = get_named_colour(place.noun.colours[0]) if place.noun.colours else rgb("#52788f")
    cast_shadow(canvas, place.x, place.y - size * 0.02, size * 0.3)
    profile = _make_profile(size, [0.17, 0.14, 0.17, 0.3, 0.36, 0.33, 0.24, 0.19])
    # Stems go behind the vase, flowers before its lip.
    if flowers:
        paint_stems(stage, place, blossoms)
    paint_turned_body(stage, place, profile, colour)
    lip = (place.x, place.y - len(profile))
    canvas.ellipse(lip, float(profile[0]), float(profile[0]) * 0.2, colour=shade_colour(colour, 0.75))
    canvas.ellipse(lip, float(profile[0]) * 0.86, float(profile[0]) * 0.15, colour=shade_colour(colour, 0.25))
    if flowers:
        paint_flowers(stage, place, blossoms)


def paint_empty_vase(stage: Stage, place: Place) -> None:
    """A vase without flowers."""
    paint_vase(stage, place, flowers=False, blossoms=place)


def paint_cup(stage: Stage, place: Place) -> None:
    """A cup on its saucer, steaming."""
    canvas, size = stage.canvas, place.size
    colour = get_named_colour(place.noun.colours[0]) if place.noun.colours else stage.accents[place.index % 2]
    saucer = mix(colour, WHITE, 0.55)
    cast_shadow(canvas, place.x, place.y + size * 0.04, size * 0.85)
    foot = (place.x, place.y - size * 0.02)
    canvas.ellipse((foot[0], foot[1] + size * 0.035), size * 0.86, size * 0.165, colour=shade_colour(saucer, 0.6))
    canvas.ellipse(foot, size * 0.86, size * 0.16, colour=saucer)
    canvas.ellipse(foot, size * 0.5, size * 0.085, colour=shade_colour(saucer, 0.72), blur=size * 0.02)
    # The handle before the cup, which covers its ends.
    handle = canvas.create_layer(place.x, place.y - size, place.x + size * 1.1, place.y)
    angles = np.linspace(-1.75, 1.6, 28)
    ring = np.stack(
        [place.x + size * (0.5 + 0.27 * np.cos(angles)), place.y - size * (0.52 - 0.25 * np.sin(angles))], axis=1
    )
    handle.taper(ring, shade_colour(colour, 0.8), size * 0.09, size * 0.075)
    handle.inflate(towards=(-0.6, -0.8), depth=size * 0.04, strength=0.6)
    canvas.lay(handle)
    profile = _make_profile(size, [0.6, 0.585, 0.56, 0.52, 0.46, 0.36, 0.27])
    paint_turned_body(stage, place, profile, colour)
    lip = (place.x, place.y - len(profile))
    radius = float(profile[0])
    # The rim, the inside in shade, the coffee and the light on it.
    canvas.ellipse(lip, radius, radius * 0.2, colour=mix(colour, WHITE, 0.45))
    canvas.ellipse(lip, radius * 0.93, radius * 0.172, colour=shade_colour(colour, 0.5))
    canvas.ellipse((lip[0], lip[1] + radius * 0.03), radius * 0.88, radius * 0.145, colour=rgb("#43240f"))
    canvas.ellipse(
        (lip[0] - radius * 0.16, lip[1] + radius * 0.02),
        radius * 0.55,
        radius * 0.075,
        colour=rgb("#a8703c"),
        opacity=0.7,
        blur=radius * 0.05,
    )
    _paint_steam(canvas, lip, size)


def _paint_steam(canvas: Canvas, source: tuple[float, float], size: float) -> None:
    rng = canvas.make_rng("steam")
    for offset in (-0.22, 0.02, 0.24):
        phase = rng.uniform(0, 6.28)
        rise = np.linspace(0, 1, 30)
        x = source[0] + size * (offset + 0.1 * np.sin(rise * 5.5 + phase) * (0.3 + rise))
        y = source[1] - size * (0.06 + rise * rng.uniform(0.8, 1.15))
        half = size * (0.02 + 0.055 * np.sin(rise * np.pi))
        outline = np.concatenate([np.stack([x - half, y], axis=1), np.stack([x + half, y], axis=1)[::-1]])
        canvas.poly(outline, WHITE, opacity=0.3, blur=size * 0.035)


def paint_bottle(stage: Stage, place: Place) -> None:
    """A bottle of coloured glass."""
    colour = get_named_colour(place.noun.colours[0]) if place.noun.colours else rgb("#2f4f3a")
    cast_shadow(stage.canvas, place.x, place.y, place.size * 0.16)
    profile = _make_profile(place.size, [0.05, 0.045, 0.045, 0.05, 0.115, 0.135, 0.135, 0.135, 0.135, 0.13])
    paint_turned_body(stage, place, profile, colour, gloss=0.8)
    # The label is not turned with the bottle, so it is shaded by itself.
    label = place.to_canvas_points((-0.134, 0.12), (-0.134, 0.34), (0.134, 0.34), (0.134, 0.12))
    layer = stage.canvas.create_layer(
        place.x - place.size * 0.2, place.y - place.size * 0.4, place.x + place.size * 0.2, place.y
    )
    layer.poly(label, rgb("#e9dfc6"))
    layer.gradient(place.to_canvas(-0.134, 0), place.to_canvas(0.134, 0), 1.05, 0.45)
    stage.canvas.lay(layer)


def paint_bowl(stage: Stage, place: Place) -> None:
    """An empty bowl."""
    colour = get_named_colour(place.noun.colours[0]) if place.noun.colours else rgb("#8aa0a8")
    cast_shadow(stage.canvas, place.x, place.y, place.size * 0.6)
    profile = _make_profile(place.size * 0.62, [1.1, 1.07, 1.0, 0.88, 0.68, 0.42])
    paint_turned_body(stage, place, profile, colour)
    lip = (place.x, place.y - len(profile))
    stage.canvas.ellipse(lip, float(profile[0]), float(profile[0]) * 0.2, colour=mix(colour, WHITE, 0.4))
    stage.canvas.ellipse(lip, float(profile[0]) * 0.94, float(profile[0]) * 0.17, colour=shade_colour(colour, 0.45))


def paint_candle(stage: Stage, place: Place) -> None:
    """A burning candle and its light."""
    canvas, size = stage.canvas, place.size
    wax = get_named_colour(place.noun.colours[0]) if place.noun.colours else rgb("#efe3c4")
    cast_shadow(canvas, place.x, place.y, size * 0.16)
    paint_turned_body(stage, place, _make_profile(size * 0.72, [0.12, 0.125, 0.125, 0.128, 0.13]), wax, gloss=0.15)
    canvas.ellipse(place.to_canvas(0, 0.72), size * 0.086, size * 0.018, colour=mix(wax, rgb("#ffd27a"), 0.5))
    canvas.line(place.to_canvas_points((0, 0.72), (0.005, 0.78)), rgb("#2a1a10"), size * 0.012)
    canvas.glow(place.to_canvas(0, 0.86), size * 0.42, rgb("#ff9d3a"), strength=0.75)
    flame = smooth_curve(
        place.to_canvas_points(*parse_points("0,0.75 0.042,0.82 0.02,0.92 0.0,1.0 -0.024,0.91 -0.042,0.82")),
        closed=True,
    )
    canvas.poly(flame, rgb("#ffc04a"), blur=size * 0.008)
    canvas.poly(
        flame * np.float32(0.6) + np.asarray(place.to_canvas(0, 0.83), np.float32) * np.float32(0.4),
        rgb("#fff6d0"),
        blur=size * 0.006,
    )


def paint_book(stage: Stage, place: Place) -> None:
    """A closed book lying on the table."""
    canvas, size = stage.canvas, place.size
    cover = get_named_colour(place.noun.colours[0]) if place.noun.colours else stage.accents[place.index % 2]
    cast_shadow(canvas, place.x, place.y, size * 0.7)
    layer = canvas.create_layer(place.x - size, place.y - size * 0.5, place.x + size, place.y + size * 0.1)
    # The pages from the front with the lines of their leaves, the pages from the side, then the cover.
    layer.poly(place.to_canvas_points((-0.66, 0.02), (-0.66, 0.2), (0.5, 0.14), (0.5, -0.04)), rgb("#e9dfc8"))
    for up in np.linspace(0.05, 0.16, 5):
        layer.line(place.to_canvas_points((-0.66, up), (0.5, up - 0.06)), rgb("#bfb296"), size * 0.006)
    layer.poly(place.to_canvas_points((0.5, -0.04), (0.5, 0.14), (0.78, 0.3), (0.78, 0.12)), rgb("#cfc3a8"))
    layer.poly(place.to_canvas_points((-0.68, 0.19), (0.51, 0.13), (0.8, 0.31), (-0.32, 0.36)), cover)
    layer.poly(
        place.to_canvas_points(*parse_points("-0.7,0.02 -0.7,0.2 -0.34,0.37 -0.32,0.35 -0.66,0.19 -0.66,0.02")),
        shade_colour(cover, 0.7),
    )
    layer.poly(
        place.to_canvas_points((-0.68, 0.0), (0.51, -0.06), (0.51, -0.03), (-0.68, 0.03)), shade_colour(cover, 0.6)
    )
    canvas.lay(layer)


def paint_cake(stage: Stage, place: Place) -> None:
    """A layered cake with icing, cherries and a candle."""
    canvas, size = stage.canvas, place.size
    icing = get_named_colour(place.noun.colours[0]) if place.noun.colours else rgb("#f5c6d2")
    cast_shadow(canvas, place.x, place.y, size * 0.72)
    canvas.ellipse((place.x, place.y - size * 0.01), size * 0.82, size * 0.15, colour=rgb("#d9dde0"))
    canvas.ellipse((place.x, place.y - size * 0.03), size * 0.8, size * 0.14, colour=rgb("#f4f5f6"))
    foot = replace(place, y=place.y - size * 0.03)
    paint_turned_body(stage, foot, np.full(max(4, int(size * 0.5)), size * 0.62, np.float32), rgb("#d9a566"), gloss=0.1)
    top = place.y - size * 0.53
    layer = canvas.create_layer(place.x - size * 0.7, place.y - size * 0.8, place.x + size * 0.7, place.y)
    # Along the near half of the rim, alternately short and long.
    drips = [
        (place.x + size * 0.622 * float(np.cos(angle)), top + size * (0.115 * float(np.sin(angle)) + reach))
        for angle, reach in zip(np.linspace(0, np.pi, 17), (0.1, 0.2) * 8 + (0.1,), strict=True)
    ]
    layer.poly([*smooth_curve(drips), (place.x - size * 0.622, top), (place.x + size * 0.622, top)], icing)
    layer.gradient(place.to_canvas(-0.6, 0), place.to_canvas(0.62, 0), 1.02, 0.55)
    canvas.lay(layer)
    canvas.ellipse((place.x, top), size * 0.622, size * 0.125, colour=mix(icing, WHITE, 0.3))
    _paint_topping(canvas, place, icing)


def _paint_topping(canvas: Canvas, place: Place, icing: Colours) -> None:
    """Blobs of cream with cherries around the cake's top, and a burning candle in the middle."""
    size = place.size
    wick = place.to_canvas(0, 0.84)
    around = [(float(np.cos(angle)), float(np.sin(angle))) for angle in np.linspace(-0.5, 1.5, 9)[:-1] * np.pi]
    # From back to front; those before the candle wait until it stands.
    for across, down in sorted(around, key=lambda spot: spot[1]):
        if down > 0.2:
            continue
        _paint_cherry(canvas, place, across, down)
    canvas.line(place.to_canvas_points((0, 0.53), (0, 0.82)), mix(icing, rgb("#6fb1d6"), 0.8), size * 0.04)
    canvas.glow((wick[0], wick[1] - size * 0.05), size * 0.12, rgb("#ffb24d"), strength=0.5)
    flame = smooth_curve(place.to_canvas_points(*parse_points("0,0.83 0.028,0.88 0.0,0.98 -0.028,0.88")), closed=True)
    canvas.poly(flame, rgb("#ffc04a"), blur=size * 0.006)
    for across, down in sorted(around, key=lambda spot: spot[1]):
        if down > 0.2:
            _paint_cherry(canvas, place, across, down)


def _paint_cherry(canvas: Canvas, place: Place, across: float, down: float) -> None:
    size = place.size
    x, y = place.x + size * 0.5 * across, place.y - size * 0.54 + size * 0.09 * down
    canvas.ellipse((x, y), size * 0.075, size * 0.045, colour=rgb("#fbf4ea"))
    canvas.ellipse((x, y - size * 0.045), size * 0.045, colour=rgb("#b3202c"))
    canvas.ellipse((x - size * 0.014, y - size * 0.06), size * 0.012, colour=WHITE, opacity=0.8)
