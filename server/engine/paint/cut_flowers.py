"""Cut flowers: a bouquet by itself, and what stands in a vase."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points
from atelier_mcp.server.engine.paint.vegetation import (
    has_roses,
    has_sunflowers,
    paint_bloom,
    paint_rose,
    paint_sunflower,
)

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def paint_bouquet(stage: Stage, place: Place) -> None:
    """Cut flowers held together by a ribbon, their stems below it."""
    canvas, size = stage.canvas, place.size
    # As if there were a vase, which is not painted: heads and stems are placed by one.
    bound_place = replace(place, y=place.y + size * 0.25, size=size * 0.66)
    layer = canvas.create_layer(place.x - size, place.y - size, place.x + size, place.y + size * 0.05)
    rng = canvas.make_rng("handful")
    for right in np.linspace(-0.14, 0.14, 8):
        green = shade_colour(rgb("#47743a"), rng.uniform(0.7, 1.1))
        layer.taper(
            place.to_canvas_points((float(right) * 0.25, 0.36), (float(right), rng.uniform(0.0, 0.05))),
            green,
            size * 0.02,
            size * 0.016,
        )
    canvas.lay(layer)
    paint_stems(stage, bound_place, bound_place)
    paint_flowers(stage, bound_place, bound_place)
    band = canvas.create_layer(place.x - size * 0.3, place.y - size * 0.6, place.x + size * 0.3, place.y)
    ribbon = rgb("#efe2cf")
    band.poly(place.to_canvas_points(*parse_points("-0.055,0.33 -0.05,0.4 0.05,0.4 0.055,0.33")), ribbon)
    for side in (-1.0, 1.0):
        loop = [(side * right, up) for right, up in parse_points("0,0.365 0.1,0.42 0.14,0.36 0.08,0.32")]
        band.poly(smooth_curve(place.to_canvas_points(*loop), closed=True), shade_colour(ribbon, 0.9))
    band.gradient(place.to_canvas(-0.1, 0), place.to_canvas(0.1, 0), 1.05, 0.7)
    canvas.lay(band)


def _place_flower_heads(stage: Stage, place: Place, count: int) -> list[tuple[float, float, float]]:
    """Where the flowers of a bouquet are: x, y and radius, farther ones first."""
    rng = stage.canvas.make_rng("bouquet")
    size = place.size
    middle = (place.x, place.y - size * 1.42)
    heads: list[tuple[float, float, float]] = []
    for index in range(count):
        # The golden angle: flower heads as seeds in a sunflower, evenly spread for any count.
        angle = index * 2.39996 + rng.uniform(-0.25, 0.25)
        out = np.sqrt((index + 0.5) / count)
        x = middle[0] + np.cos(angle) * out * size * 0.52
        y = middle[1] + np.sin(angle) * out * size * 0.36 - (1 - out) * size * 0.06
        heads.append((float(x), float(y), size * rng.uniform(0.13, 0.175)))
    # Called for the stems and again for the flowers; a generator made anew gives both the same places.
    return sorted(heads, key=lambda head: head[1])


def _count_flowers(blossoms: Place) -> int:
    return blossoms.noun.count if blossoms.noun.count and blossoms.noun.count > 1 else 15


def paint_stems(stage: Stage, place: Place, blossoms: Place) -> None:
    """Stems and leaves from the neck of a vase at ``place`` up to the flowers that ``blossoms`` names."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng("stems")
    neck = (place.x, place.y - size * 0.94)
    layer = canvas.create_layer(place.x - size, place.y - size * 2.2, place.x + size, place.y)
    for x, y, radius in _place_flower_heads(stage, place, _count_flowers(blossoms)):
        green = shade_colour(rgb("#47743a"), rng.uniform(0.7, 1.1))
        bend = (neck[0] + (x - neck[0]) * 0.35, neck[1] - (neck[1] - y) * 0.55)
        layer.taper(smooth_curve([neck, bend, (x, y)]), green, size * 0.016, size * 0.012)
        for _ in range(2):
            angle = float(rng.uniform(0, 360))
            spot = (x + rng.normal(0, radius * 0.7), y + rng.uniform(0.3, 1.0) * radius)
            layer.ellipse(
                spot,
                radius * 0.85,
                radius * 0.3,
                colour=shade_colour(rgb("#4f8440"), rng.uniform(0.55, 1.1)),
                degrees=angle,
            )
    canvas.lay(layer)


def paint_flowers(stage: Stage, place: Place, blossoms: Place) -> None:
    """The flowers themselves, where ``paint_stems`` ends."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng("petals")
    own = [get_named_colour(name) for name in blossoms.noun.colours]
    sunflowers, roses = has_sunflowers(stage.prompt), has_roses(stage.prompt)
    if not own:
        first, second = _choose_petal_colours(stage)
        own = [first, first if sunflowers else mix(first, WHITE, 0.55), second]
    layer = canvas.create_layer(place.x - size, place.y - size * 2.2, place.x + size, place.y)
    for index, (x, y, radius) in enumerate(_place_flower_heads(stage, place, _count_flowers(blossoms))):
        colour = shade_colour(own[index % len(own)], rng.uniform(0.9, 1.05))
        if sunflowers:
            paint_sunflower(layer, rng, (x, y), radius * 1.05, colour)
        elif roses:
            paint_rose(layer, rng, (x, y), radius, colour)
        else:
            paint_bloom(layer, rng, (x, y), radius * 1.08, colour, petals=int(rng.integers(8, 12)))
    layer.gradient((place.x - size * 0.6, place.y - size * 1.8), (place.x + size * 0.6, place.y - size), 1.1, 0.72)
    canvas.lay(layer)


def _choose_petal_colours(stage: Stage) -> tuple[Colours, Colours]:
    """Two colours for flowers whose own was not said."""
    if has_sunflowers(stage.prompt):
        return rgb("#f2b51f"), rgb("#e89a1a")
    return (rgb("#c4243a"), rgb("#e0566f")) if has_roses(stage.prompt) else stage.accents
