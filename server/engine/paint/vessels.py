"""Boats, tall ships and hot-air balloons; those on water paint their own mirror image below them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def paint_sailboat(stage: Stage, place: Place) -> None:
    """A boat with a mainsail and a jib, mirrored in the water below."""
    canvas, size = stage.canvas, place.size
    layer = canvas.create_layer(
        place.x - size * 0.55, place.y - size * 1.08, place.x + size * 0.6, place.y + size * 0.1
    )
    hull = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    cloth = get_named_colour(place.noun.colours[1]) if len(place.noun.colours) > 1 else rgb("#f7f1e3")
    sail = stage.mood.apply_light(cloth)
    flip = -1.0 if place.index % 2 else 1.0
    mast = stage.mood.apply_light(rgb("#5b4130"))
    layer.line(place.to_canvas_points((0, 0.1), (0, 1.02)), mast, size * 0.016)
    main = smooth_curve(
        [place.to_canvas(0.02 * flip, 0.98), place.to_canvas(0.2 * flip, 0.62), place.to_canvas(0.37 * flip, 0.2)]
    )
    layer.poly([*main, place.to_canvas(0.02 * flip, 0.19)], sail)
    jib = smooth_curve(
        [place.to_canvas(-0.03 * flip, 0.88), place.to_canvas(-0.16 * flip, 0.54), place.to_canvas(-0.34 * flip, 0.17)]
    )
    layer.poly([*jib, place.to_canvas(-0.03 * flip, 0.21)], shade_colour(sail, 0.9))
    for up in (0.36, 0.54, 0.72):
        layer.line(
            place.to_canvas_points((0.02 * flip, up), (0.35 * flip * (1.03 - up) / 0.84, up - 0.02)),
            shade_colour(sail, 0.82),
            size * 0.004,
        )
    # Before the hull is drawn: only sails are round.
    _inflate_sails(stage, place, layer)
    layer.poly(_outline_hull(place, flip), hull)
    layer.poly(
        place.to_canvas_points(
            (-0.46 * flip, 0.148), (0.44 * flip, 0.125), (0.43 * flip, 0.105), (-0.455 * flip, 0.127)
        ),
        mix(hull, sail, 0.75),
    )
    layer.gradient(place.to_canvas(0, 0.14), place.to_canvas(0, -0.05), 1.12, 0.62)
    _lay_on_water(stage, place, layer)


def _outline_hull(place: Place, flip: float) -> list[tuple[float, float]]:
    deck = smooth_curve(place.to_canvas_points((-0.48 * flip, 0.155), (0, 0.105), (0.45 * flip, 0.13)))
    keel = smooth_curve(place.to_canvas_points((0.38 * flip, -0.015), (0, -0.05), (-0.34 * flip, -0.03)))
    return [(float(x), float(y)) for x, y in np.concatenate([deck, keel])]


def _inflate_sails(stage: Stage, place: Place, layer: Layer) -> None:
    """The roundness of filled sails."""
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y - place.size),
        depth=place.size * 0.12,
        strength=0.3,
        rim=stage.rim * np.float32(0.5),
    )


def _lay_on_water(stage: Stage, place: Place, layer: Layer) -> None:
    """Lay the boat down with its broken reflection and a line of foam."""
    canvas, size = stage.canvas, place.size
    waterline = place.y + size * 0.02
    reflection = 0.12 if stage.mood.is_stormy else 0.38
    # The mirror image before the boat, which would otherwise be covered by it where the hull dips below the waterline.
    canvas.lay(layer, opacity=reflection, blur=max(0.8, size * 0.012), mirror_at=waterline)
    rng = canvas.make_rng(f"wake{place.index}")
    deep = canvas.image[
        min(canvas.height - 1, max(0, int(place.y + size * 0.1))), min(canvas.width - 1, max(0, int(place.x)))
    ].copy()
    # Strokes in the water's own colour across the mirror image break it up as ripples do.
    for _ in range(16):
        down = rng.uniform(0.1, 0.95)
        x, y = place.x + rng.normal(0, 0.16) * size, waterline + down * size
        half = size * rng.uniform(0.08, 0.3)
        canvas.line(
            [(x - half, y), (x + half, y)],
            deep,
            size * rng.uniform(0.008, 0.02),
            opacity=0.55,
            blur=max(0.5, size * 0.006),
        )
    canvas.lay(layer)
    foam = mix(stage.mood.light, rgb("#ffffff"), 0.4)
    canvas.line(
        place.to_canvas_points((-0.4, -0.035), (0.0, -0.055), (0.44, -0.03)),
        foam,
        size * 0.012,
        opacity=0.4,
        blur=max(0.5, size * 0.008),
    )


def paint_tall_ship(stage: Stage, place: Place) -> None:
    """A three-masted ship under square sails."""
    canvas, size = stage.canvas, place.size
    layer = canvas.create_layer(
        place.x - size * 0.75, place.y - size * 1.08, place.x + size * 0.75, place.y + size * 0.1
    )
    hull = stage.choose_colour(place.noun, place.index, rgb("#5a3b2a"))
    sail = stage.mood.apply_light(
        get_named_colour(place.noun.colours[1]) if len(place.noun.colours) > 1 else rgb("#efe4cb")
    )
    wood = stage.mood.apply_light(rgb("#4a3426"))
    for right, tall in ((-0.32, 0.82), (0.0, 1.0), (0.3, 0.86)):
        layer.line(place.to_canvas_points((right, 0.1), (right, tall)), wood, size * 0.014)
        # Three sails to a mast, filled by a wind from the left.
        for low, high, half in ((0.24, 0.47, 0.15), (0.5, 0.7, 0.12), (0.73, 0.88, 0.085)):
            top, bottom = high * tall, low * tall
            belly = smooth_curve(
                place.to_canvas_points(
                    (right + half, top), (right + half * 1.12 + 0.03, (top + bottom) / 2), (right + half * 1.05, bottom)
                )
            )
            luff = smooth_curve(
                place.to_canvas_points(
                    (right - half * 1.05, bottom), (right - half * 0.85 + 0.03, (top + bottom) / 2), (right - half, top)
                )
            )
            layer.poly(np.concatenate([belly, luff]), sail)
            layer.line(place.to_canvas_points((right - half * 1.1, top), (right + half * 1.1, top)), wood, size * 0.008)
    _inflate_sails(stage, place, layer)
    layer.line(place.to_canvas_points((0.5, 0.17), (0.72, 0.34)), wood, size * 0.012)
    deck = smooth_curve(place.to_canvas_points((-0.58, 0.28), (-0.4, 0.2), (0.2, 0.13), (0.54, 0.2)))
    keel = smooth_curve(place.to_canvas_points((0.44, -0.01), (0, -0.04), (-0.5, -0.02)))
    layer.poly(np.concatenate([deck, keel]), hull)
    layer.line(
        smooth_curve(place.to_canvas_points((-0.56, 0.2), (-0.4, 0.14), (0.2, 0.08), (0.5, 0.14))),
        mix(hull, sail, 0.6),
        size * 0.014,
    )
    layer.gradient(place.to_canvas(0, 0.2), place.to_canvas(0, -0.05), 1.1, 0.6)
    _lay_on_water(stage, place, layer)


def paint_balloon(stage: Stage, place: Place) -> None:
    """A hot-air balloon with striped gores and a basket; its foot is the basket's."""
    canvas, size = stage.canvas, place.size
    layer = canvas.create_layer(
        place.x - size * 0.45, place.y - size * 1.05, place.x + size * 0.45, place.y + size * 0.05
    )
    first = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    second = _choose_stripe_colour(stage, place, first)
    # Edges of the gores are evenly spaced on a circle seen from the side, hence the cosine: narrow towards the rim.
    gores = 10
    for gore in range(gores):
        left, right = (np.cos(np.pi * edge / gores) for edge in (gore, gore + 1))
        outline = [*_outline_gore(place, float(left)), *_outline_gore(place, float(right))[::-1]]
        layer.poly(outline, first if gore % 2 else second)
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y - size),
        depth=size * 0.34,
        strength=0.75,
        rim=stage.rim * np.float32(0.6),
    )
    rope = stage.mood.apply_light(rgb("#3c2f27"))
    for top, bottom in ((-0.085, -0.042), (-0.03, -0.02), (0.03, 0.02), (0.085, 0.042)):
        layer.line(place.to_canvas_points((top, 0.24), (bottom, 0.1)), rope, size * 0.005)
    wicker = stage.mood.apply_light(rgb("#8a5f3a"))
    layer.poly(place.to_canvas_points((-0.052, 0.1), (-0.04, 0), (0.04, 0), (0.052, 0.1)), wicker)
    layer.line(place.to_canvas_points((-0.054, 0.1), (0.054, 0.1)), shade_colour(wicker, 0.6), size * 0.012)
    canvas.lay(layer)
    if stage.mood.is_dark:
        canvas.glow(place.to_canvas(0, 0.24), size * 0.12, rgb("#ffb04d"), strength=0.7)


def _choose_stripe_colour(stage: Stage, place: Place, first: Colours) -> Colours:
    own = place.noun.colours
    if len(own) > 1 and place.noun.count == 1:
        return stage.mood.apply_light(get_named_colour(own[1]))
    return mix(first, stage.mood.apply_light(rgb("#fdf3df")), 0.72)


def _outline_gore(place: Place, side: float) -> list[tuple[float, float]]:
    """The seam at ``side`` in [-1, 1], from the crown down: a circle that narrows towards the mouth."""
    # Not down to the pole: the envelope ends in a mouth.
    angles = np.linspace(0.02, np.pi * 0.93, 22)
    half = np.sin(angles) ** 0.9 * (1 - 0.3 * np.clip(angles / np.pi - 0.5, 0, 1) * 2)
    return [
        place.to_canvas(float(0.36 * side * wide), float(0.62 + 0.4 * np.cos(angle)))
        for wide, angle in zip(half, angles, strict=True)
    ]
