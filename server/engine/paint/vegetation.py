"""Trees, grass, flowers and mushrooms; all placed by their foot, their size is their height."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Point, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours
    from atelier_mcp.server.engine.prompt import Prompt

_LEAF = rgb("#5d8f3c")
_AUTUMN = (rgb("#c8642a"), rgb("#d99a2f"), rgb("#b2432c"))
_BARK = rgb("#5b4536")
_GRASS_HEIGHT: Final = 0.05
"""Of the shorter side: the longest blades before the eye."""


def paint_pine(stage: Stage, place: Place, *, colour: Colours | None = None) -> None:
    """A conifer: a jagged cone of drooping boughs, lighter on the sun's side."""
    rng = stage.canvas.make_rng(f"pine{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.3, place.y - size * 1.06, place.x + size * 0.3, place.y + size * 0.04
    )
    dark = stage.choose_colour(place.noun, place.index, rgb("#2f5238")) if colour is None else colour
    layer.poly(
        place.to_canvas_points((-0.014, 0), (-0.01, 0.2), (0.01, 0.2), (0.014, 0)),
        shade_colour(mix(dark, stage.mood.apply_light(_BARK), 0.4), 0.7),
    )
    side = -1.0 if stage.sun[0] < place.x else 1.0
    layer.poly(_outline_boughs(place, rng, 1.0), dark)
    layer.poly(
        [(place.x + (x - place.x) * 0.72 + side * size * 0.022, y) for x, y in _outline_boughs(place, rng, 0.85)],
        shade_colour(dark, 1.28),
    )
    if stage.prompt.has("snow"):
        white = stage.mood.apply_light(rgb("#eef3f8"))
        layer.poly(
            [
                (place.x + (x - place.x) * 0.6 + side * size * 0.03, y - size * 0.012)
                for x, y in _outline_boughs(place, rng, 0.8)
            ],
            white,
        )
    layer.gradient(place.to_canvas(0, 1), place.to_canvas(0, 0), 1.12, 0.8)
    stage.canvas.lay(layer)


def _outline_boughs(place: Place, rng: np.random.Generator, width: float) -> list[Point]:
    """The outline: each tier slopes out and down, then steps back in."""
    tiers = 11
    left: list[Point] = []
    right: list[Point] = []
    for tier in range(tiers):
        share = (tier + 1) / tiers
        up = 1 - share * 0.92
        reach = (0.02 + 0.2 * share**0.9) * width
        for flank, side in ((left, -1.0), (right, 1.0)):
            out = reach * rng.uniform(0.8, 1.12)
            flank.append(place.to_canvas(side * out, up + rng.uniform(-0.01, 0.01)))
            flank.append(place.to_canvas(side * out * 0.5, up + 0.028))
    return [place.to_canvas(0, 1.02), *right, *left[::-1]]


def paint_tree(stage: Stage, place: Place, *, blossom: bool = False) -> None:
    """A broad-leaved tree: branches, then leaves as dots in four layers from shade to light.

    Each lighter layer is smaller and moved towards the light, which gives the crown its volume.
    """
    # A name of its own with blossom: else a cherry beside an oak would be the same tree in pink.
    rng = stage.canvas.make_rng(f"tree{place.index}{blossom}")
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.72, place.y - size * 1.12, place.x + size * 0.72, place.y + size * 0.05
    )
    bark = stage.mood.apply_light(rgb("#4b362d") if blossom else _BARK)
    tips = _paint_branches(layer, place, rng, bark)
    layer.gradient((place.x - size * 0.1, 0), (place.x + size * 0.1, 0), 1.25, 0.75)
    light = stage.compute_light_direction(place.x, place.y - size)
    colours = _choose_foliage_colours(stage, place, blossom=blossom)
    for depth, tone in enumerate((0.66, 0.86, 1.04, 1.16)):
        drift = np.array(light) * size * 0.022 * (depth - 1)
        density = (30, 30, 26, 13)[depth]
        for tip in tips:
            for _ in range(density):
                offset = rng.normal(0, (0.066, 0.064, 0.056, 0.046)[depth], 2) * size
                colour = colours[int(rng.integers(len(colours)))]
                radius = size * rng.uniform(0.006, 0.0145)
                layer.dot(
                    (tip[0] + offset[0] + drift[0], tip[1] + offset[1] * 0.8 + drift[1]),
                    radius,
                    shade_colour(colour, tone * rng.uniform(0.9, 1.1)),
                )
    stage.canvas.lay(layer)
    if blossom:
        _paint_fallen_petals(stage, place, colours[0])


def paint_blossom_tree(stage: Stage, place: Place) -> None:
    """A cherry tree in flower, petals falling."""
    paint_tree(stage, place, blossom=True)


def _paint_branches(layer: Layer, place: Place, rng: np.random.Generator, bark: Colours) -> list[Point]:
    """Paint the trunk and two generations of branches; returns where the leaves hang."""
    size = place.size
    lean = rng.uniform(-0.05, 0.05)
    fork = place.to_canvas(lean, 0.4)
    trunk = smooth_curve([place.to_canvas(0, -0.02), place.to_canvas(lean * 0.2 - 0.012, 0.15), fork])
    layer.poly(place.to_canvas_points((-0.085, -0.025), (-0.035, 0.04), (0.035, 0.04), (0.085, -0.025)), bark)
    layer.taper(trunk, bark, size * 0.088, size * 0.056)
    tips: list[Point] = []
    for angle in np.linspace(-68, 68, 6) + rng.uniform(-9, 9, 6):
        length = size * rng.uniform(0.26, 0.36) * (1.1 - abs(angle) / 240)
        first = _offset_point(fork, float(angle), length)
        layer.taper(
            smooth_curve([fork, _offset_point(fork, float(angle) * 0.6, length * 0.55), first]),
            bark,
            size * 0.04,
            size * 0.017,
        )
        tips.append(first)
        for turn in (-34, 30):
            second = _offset_point(
                first, float(angle) * 0.8 + turn + rng.uniform(-10, 10), size * rng.uniform(0.11, 0.19)
            )
            layer.taper(smooth_curve([first, second]), bark, size * 0.017, size * 0.006)
            tips.append(second)
    return tips


def _offset_point(start: Point, degrees_from_up: float, length: float) -> Point:
    angle = np.radians(degrees_from_up)
    return start[0] + float(np.sin(angle)) * length, start[1] - float(np.cos(angle)) * length


def _choose_foliage_colours(stage: Stage, place: Place, *, blossom: bool) -> list[Colours]:
    own = stage.choose_colour(place.noun, place.index, rgb("#f3a9c4") if blossom else _LEAF)
    if blossom:
        return [
            own,
            mix(own, stage.mood.apply_light(WHITE), 0.45),
            mix(own, stage.mood.apply_light(rgb("#e87fa6")), 0.35),
        ]
    if place.noun.colours:
        return [own, shade_colour(own, 0.85), mix(own, stage.mood.light, 0.12)]
    if stage.prompt.has("autumn"):
        return [stage.mood.apply_light(colour) for colour in _AUTUMN]
    if stage.prompt.has("snow"):
        return [stage.mood.apply_light(rgb("#e9eff5")), stage.mood.apply_light(rgb("#cfd9e3"))]
    return [
        own,
        mix(own, stage.mood.apply_light(rgb("#86a845")), 0.5),
        mix(own, stage.mood.apply_light(rgb("#3d6b3a")), 0.4),
    ]


def _paint_fallen_petals(stage: Stage, place: Place, colour: Colours) -> None:
    rng = stage.canvas.make_rng(f"petals{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(place.x - size, place.y - size * 1.1, place.x + size, place.y + size * 0.3)
    for _ in range(150):
        spot = (place.x + rng.normal(0, 0.34) * size, place.y + abs(rng.normal(0.0, 0.07)) * size)
        layer.ellipse(
            spot, size * rng.uniform(0.004, 0.009), size * 0.003, colour=shade_colour(colour, rng.uniform(0.85, 1.1))
        )
    for _ in range(36):
        spot = (place.x + rng.normal(0, 0.4) * size, place.y - rng.uniform(0.05, 0.8) * size)
        layer.ellipse(spot, size * 0.0075, size * 0.0045, colour=colour, degrees=float(rng.uniform(0, 180)))
    stage.canvas.lay(layer)


def paint_palm(stage: Stage, place: Place) -> None:
    """A leaning palm with feathered fronds."""
    rng = stage.canvas.make_rng(f"palm{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.7, place.y - size * 1.25, place.x + size * 0.8, place.y + size * 0.05
    )
    lean = rng.uniform(0.08, 0.22) * rng.choice([-1, 1])
    crown = place.to_canvas(lean, 0.78)
    trunk = smooth_curve(
        [place.to_canvas(0, 0), place.to_canvas(lean * 0.25, 0.3), place.to_canvas(lean * 0.6, 0.58), crown]
    )
    bark = stage.mood.apply_light(rgb("#8a6d50"))
    layer.taper(trunk, bark, size * 0.06, size * 0.032)
    for x, y in trunk[::2]:
        layer.line(
            [(x - size * 0.022, y), (x + size * 0.022, y - size * 0.004)], shade_colour(bark, 0.72), size * 0.006
        )
    leaf = stage.choose_colour(place.noun, place.index, rgb("#4f8a3c"))
    for index, angle in enumerate(np.linspace(-125, 125, 11) + rng.uniform(-8, 8, 11)):
        tone = shade_colour(leaf, 0.68 + 0.5 * (index % 3) / 2)
        _paint_frond(layer, crown, float(angle), size * rng.uniform(0.3, 0.4), tone)
    for offset in (-0.02, 0.012, 0.03):
        layer.dot(
            (crown[0] + offset * size, crown[1] + size * 0.02), size * 0.018, stage.mood.apply_light(rgb("#6b4a2c"))
        )
    stage.canvas.lay(layer)


def _paint_frond(layer: Layer, crown: Point, angle: float, length: float, colour: Colours) -> None:
    middle = _offset_point(crown, angle * 0.75, length * 0.6)
    tip = _offset_point(middle, angle * 1.1 + np.sign(angle) * 25, length * 0.55)
    rib = smooth_curve([crown, middle, tip], steps=10)
    along = np.gradient(rib, axis=0)
    heading = np.degrees(np.arctan2(along[:, 0], -along[:, 1]))
    for index in range(2, len(rib)):
        reach = length * 0.2 * np.sin(np.pi * index / len(rib)) + length * 0.03
        root = (float(rib[index][0]), float(rib[index][1]))
        for side in (-1, 1):
            end = _offset_point(root, float(heading[index]) + side * 52, float(reach))
            layer.taper([root, end], colour, length * 0.028, length * 0.004)
    layer.taper(rib, shade_colour(colour, 0.8), length * 0.03, length * 0.008)


def paint_grass(stage: Stage, top: float, colour: Colours) -> None:
    """Blades over the foreground from the row ``top`` down, larger towards the eye."""
    canvas = stage.canvas
    rng = canvas.make_rng("grass")
    # Sorted by row, so that nearer blades are drawn over farther ones.
    rows = np.sort(top + rng.random(2600) ** 0.8 * (canvas.height * 1.05 - top))
    columns = rng.random(2600) * canvas.width
    own = stage.mood.apply_light(colour)
    layer = canvas.create_layer(0, top - canvas.unit * _GRASS_HEIGHT * 1.4, canvas.width, canvas.height)
    for x, y in zip(columns, rows, strict=True):
        near = (y - top) / (canvas.height * 1.05 - top)
        height = canvas.unit * _GRASS_HEIGHT * (0.15 + near) * rng.uniform(0.6, 1.2)
        bend = rng.normal(0, 0.3) * height
        tone = shade_colour(own, rng.uniform(0.5, 1.2))
        half = max(0.5, canvas.unit * 0.0011 * (0.4 + near))
        layer.poly([(x - half, y), (x + bend * 0.4, y - height * 0.6), (x + bend, y - height), (x + half, y)], tone)
    canvas.lay(layer, opacity=0.85)


def paint_flower_carpet(stage: Stage, top: float, colours: list[Colours], *, count: int = 240) -> None:
    """Small flowers over a meadow, from specks in the distance to blossoms before the eye."""
    canvas = stage.canvas
    rng = canvas.make_rng("carpet")
    layer = canvas.create_layer(0, top - canvas.unit * 0.1, canvas.width, canvas.height)
    rows = np.sort(top + rng.random(count) ** 1.35 * (canvas.height - top))
    for row in rows:
        near = (row - top) / max(1.0, canvas.height - top)
        centre = (float(rng.random() * canvas.width), float(row))
        radius = canvas.unit * (0.003 + 0.014 * near) * rng.uniform(0.8, 1.2)
        colour = shade_colour(colours[int(rng.integers(len(colours)))], rng.uniform(0.85, 1.1))
        if near < 0.35:
            layer.ellipse(centre, radius, radius * 0.7, colour=colour)
        else:
            paint_bloom(layer, rng, centre, radius, colour, petals=6)
    canvas.lay(layer)


def paint_bloom(
    layer: Layer, rng: np.random.Generator, centre: Point, radius: float, colour: Colours, *, petals: int = 9
) -> None:
    """A blossom: two rings of petals around a yellow middle."""
    turn = rng.uniform(0, 6.28)
    for ring, (reach, tone) in enumerate(((1.0, 0.8), (0.62, 1.08))):
        for petal in range(petals):
            angle = 2 * np.pi * (petal + 0.5 * ring) / petals + turn
            spot = (centre[0] + np.cos(angle) * radius * 0.55 * reach, centre[1] + np.sin(angle) * radius * 0.5 * reach)
            tint = shade_colour(colour, tone * rng.uniform(0.9, 1.08))
            layer.ellipse(
                spot, radius * 0.46 * reach, radius * 0.21 * reach, colour=tint, degrees=float(np.degrees(angle))
            )
    layer.ellipse(centre, radius * 0.2, radius * 0.18, colour=rgb("#d99a2b"))
    layer.ellipse((centre[0] - radius * 0.04, centre[1] - radius * 0.05), radius * 0.1, colour=rgb("#f6d36a"))


def paint_rose(layer: Layer, rng: np.random.Generator, centre: Point, radius: float, colour: Colours) -> None:
    """A rose from above: petals curling inward in a spiral, darker towards the heart."""
    # From the outer ring inwards; each petal is a dark ellipse under a light one, moved towards the middle.
    for ring, reach in enumerate((0.78, 0.6, 0.42, 0.25)):
        count = (6, 5, 4, 3)[ring]
        turn = rng.uniform(0, 6.28)
        for petal in range(count):
            angle = turn + 2 * np.pi * petal / count
            spot = (
                centre[0] + np.cos(angle) * radius * reach * 0.62,
                centre[1] + np.sin(angle) * radius * reach * 0.55,
            )
            tone = 1.1 - 0.1 * ring - 0.2 * max(0.0, float(np.sin(angle)))
            size = radius * (0.5 - 0.09 * ring)
            layer.ellipse(
                spot, size, size * 0.8, colour=shade_colour(colour, tone * 0.82), degrees=float(np.degrees(angle)) + 90
            )
            inner = (spot[0] - np.cos(angle) * size * 0.16, spot[1] - np.sin(angle) * size * 0.16 - size * 0.06)
            layer.ellipse(
                inner,
                size * 0.86,
                size * 0.66,
                colour=shade_colour(colour, tone),
                degrees=float(np.degrees(angle)) + 90,
            )
    layer.ellipse(centre, radius * 0.12, radius * 0.1, colour=shade_colour(colour, 0.55))


def has_roses(prompt: Prompt) -> bool:
    """Whether the flowers of the prompt are roses."""
    return any("rose" in phrase or "玫瑰" in phrase for phrase in prompt.understood)


def has_sunflowers(prompt: Prompt) -> bool:
    """Whether the flowers of the prompt are sunflowers."""
    return any("sunflower" in phrase or "向日葵" in phrase for phrase in prompt.understood)


def paint_sunflower(layer: Layer, rng: np.random.Generator, centre: Point, radius: float, colour: Colours) -> None:
    """A sunflower's head: two rings of pointed petals around a broad disc of seeds."""
    for ring, (reach, tone) in enumerate(((1.0, 0.82), (0.9, 1.05))):
        for petal in range(18):
            angle = 2 * np.pi * (petal + 0.5 * ring) / 18 + rng.uniform(-0.06, 0.06)
            out = np.array([np.cos(angle), np.sin(angle)]) * radius
            aside = np.array([-np.sin(angle), np.cos(angle)]) * radius * 0.13
            root, middle, tip = (np.asarray(centre) + out * share * reach for share in (0.4, 0.72, 1.08))
            corners = [root - aside * 0.6, middle - aside, tip, middle + aside, root + aside * 0.6]
            outline = smooth_curve(np.stack(corners).astype(np.float32))
            layer.poly(outline, shade_colour(colour, tone * rng.uniform(0.92, 1.06)))
    layer.ellipse(centre, radius * 0.56, colour=rgb("#4a2c17"))
    for seed in range(70):
        angle, out = seed * 2.39996, radius * 0.53 * np.sqrt((seed + 0.5) / 70)
        spot = (float(centre[0] + np.cos(angle) * out), float(centre[1] + np.sin(angle) * out))
        layer.dot(spot, radius * 0.034, shade_colour(rgb("#8a5a2a"), 0.75 + 0.55 * float(out / radius)))


def paint_flower(stage: Stage, place: Place) -> None:
    """A flower on its stem with two leaves."""
    rng = stage.canvas.make_rng(f"flower{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.5, place.y - size * 1.2, place.x + size * 0.5, place.y + size * 0.05
    )
    lean = rng.uniform(-0.1, 0.1)
    stem = smooth_curve([place.to_canvas(0, 0), place.to_canvas(-lean * 0.3, 0.4), place.to_canvas(lean, 0.82)])
    green = stage.mood.apply_light(rgb("#4f7d3a"))
    layer.taper(stem, green, size * 0.03, size * 0.018)
    for side, up in ((-1, 0.22), (1, 0.36)):
        leaf = smooth_curve(
            place.to_canvas_points(
                (0, up), (side * 0.12, up + 0.09), (side * 0.24, up + 0.06), (side * 0.12, up + 0.02)
            ),
            closed=True,
        )
        layer.poly(leaf, shade_colour(green, 0.9 + 0.2 * (side > 0)))
    is_sunflower = has_sunflowers(stage.prompt)
    spare = rgb("#f2b51f") if is_sunflower else stage.accents[place.index % 2]
    colour = stage.choose_colour(place.noun, place.index, spare)
    if is_sunflower:
        paint_sunflower(layer, rng, place.to_canvas(lean, 0.84), size * 0.21, colour)
    elif has_roses(stage.prompt):
        paint_rose(layer, rng, place.to_canvas(lean, 0.84), size * 0.18, colour)
    else:
        paint_bloom(layer, rng, place.to_canvas(lean, 0.84), size * 0.2, colour, petals=9)
    stage.canvas.lay(layer)


def paint_mushroom(stage: Stage, place: Place) -> None:
    """A capped mushroom with white spots."""
    rng = stage.canvas.make_rng(f"mushroom{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.6, place.y - size * 1.1, place.x + size * 0.6, place.y + size * 0.08
    )
    towards = stage.compute_light_direction(place.x, place.y - size)
    stem = smooth_curve(
        place.to_canvas_points(*parse_points("-0.13,0.0 -0.09,0.3 -0.1,0.6 0.1,0.6 0.09,0.3 0.13,0.0")), closed=True
    )
    layer.poly(stem, stage.mood.apply_light(rgb("#efe6d2")))
    layer.inflate(towards=towards, depth=size * 0.13, strength=0.5)
    cap = smooth_curve(
        place.to_canvas_points(*parse_points("-0.46,0.5 -0.38,0.78 0,0.98 0.38,0.78 0.46,0.5 0,0.44")), closed=True
    )
    hat = stage.canvas.create_layer(
        place.x - size * 0.6, place.y - size * 1.1, place.x + size * 0.6, place.y + size * 0.08
    )
    hat.poly(cap, stage.choose_colour(place.noun, place.index, rgb("#c23a2c")))
    for right, up, radius in (
        (-0.2, 0.72, 0.06),
        (0.06, 0.84, 0.05),
        (0.22, 0.66, 0.065),
        (-0.02, 0.6, 0.045),
        (-0.34, 0.57, 0.035),
    ):
        hat.ellipse(
            place.to_canvas(right, up),
            size * radius,
            size * radius * 0.8,
            colour=stage.mood.apply_light(rgb("#f8f3e6")),
        )
    hat.inflate(towards=towards, depth=size * 0.3, strength=0.6, rim=stage.rim)
    hat.texture(rng, size * 0.08, 0.05)
    stage.canvas.lay(layer)
    stage.canvas.lay(hat)
