"""What sails and floats: boats, tall ships, hot-air balloons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, named, rgb, shaded

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Cutout
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def sailboat(stage: Stage, place: Place) -> None:
    """A boat with a mainsail and a jib, mirrored in the water below."""
    canvas, size = stage.canvas, place.size
    sheet = canvas.cutout(place.x - size * 0.55, place.y - size * 1.08, place.x + size * 0.6, place.y + size * 0.1)
    hull = stage.colour_of(place.noun, place.index, stage.accents[place.index % 2])
    cloth = named(place.noun.colours[1]) if len(place.noun.colours) > 1 else rgb("#f7f1e3")
    sail = stage.mood.local(cloth)
    flip = -1.0 if place.index % 2 else 1.0
    mast = stage.mood.local(rgb("#5b4130"))
    sheet.line(place.outline((0, 0.1), (0, 1.02)), mast, size * 0.016)
    main = smooth_curve([place.at(0.02 * flip, 0.98), place.at(0.2 * flip, 0.62), place.at(0.37 * flip, 0.2)])
    sheet.poly([*main, place.at(0.02 * flip, 0.19)], sail)
    jib = smooth_curve([place.at(-0.03 * flip, 0.88), place.at(-0.16 * flip, 0.54), place.at(-0.34 * flip, 0.17)])
    sheet.poly([*jib, place.at(-0.03 * flip, 0.21)], shaded(sail, 0.9))
    for up in (0.36, 0.54, 0.72):
        sheet.line(
            place.outline((0.02 * flip, up), (0.35 * flip * (1.03 - up) / 0.84, up - 0.02)),
            shaded(sail, 0.82),
            size * 0.004,
        )
    _billow(stage, place, sheet)
    sheet.poly(_hull(place, flip), hull)
    sheet.poly(
        place.outline((-0.46 * flip, 0.148), (0.44 * flip, 0.125), (0.43 * flip, 0.105), (-0.455 * flip, 0.127)),
        mix(hull, sail, 0.75),
    )
    sheet.gradient(place.at(0, 0.14), place.at(0, -0.05), 1.12, 0.62)
    _afloat(stage, place, sheet)


def _hull(place: Place, flip: float) -> list[tuple[float, float]]:
    deck = smooth_curve(place.outline((-0.48 * flip, 0.155), (0, 0.105), (0.45 * flip, 0.13)))
    keel = smooth_curve(place.outline((0.38 * flip, -0.015), (0, -0.05), (-0.34 * flip, -0.03)))
    return [(float(x), float(y)) for x, y in np.concatenate([deck, keel])]


def _billow(stage: Stage, place: Place, sheet: Cutout) -> None:
    """The roundness of filled sails."""
    sheet.inflate(
        towards=stage.towards_light(place.x, place.y - place.size),
        depth=place.size * 0.12,
        strength=0.3,
        rim=stage.rim * np.float32(0.5),
    )


def _afloat(stage: Stage, place: Place, sheet: Cutout) -> None:
    """Lay the boat down with its broken reflection and a line of foam."""
    canvas, size = stage.canvas, place.size
    waterline = place.y + size * 0.02
    mirrored = 0.12 if stage.mood.stormy else 0.38
    canvas.lay(sheet, opacity=mirrored, blur=max(0.8, size * 0.012), mirror_at=waterline)
    rng = canvas.rng(f"wake{place.index}")
    deep = canvas.image[
        min(canvas.height - 1, max(0, int(place.y + size * 0.1))), min(canvas.width - 1, max(0, int(place.x)))
    ].copy()
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
    canvas.lay(sheet)
    foam = mix(stage.mood.light, rgb("#ffffff"), 0.4)
    canvas.line(
        place.outline((-0.4, -0.035), (0.0, -0.055), (0.44, -0.03)),
        foam,
        size * 0.012,
        opacity=0.4,
        blur=max(0.5, size * 0.008),
    )


def tall_ship(stage: Stage, place: Place) -> None:
    """A three-masted ship under square sails."""
    canvas, size = stage.canvas, place.size
    sheet = canvas.cutout(place.x - size * 0.75, place.y - size * 1.08, place.x + size * 0.75, place.y + size * 0.1)
    hull = stage.colour_of(place.noun, place.index, rgb("#5a3b2a"))
    sail = stage.mood.local(named(place.noun.colours[1]) if len(place.noun.colours) > 1 else rgb("#efe4cb"))
    wood = stage.mood.local(rgb("#4a3426"))
    for right, tall in ((-0.32, 0.82), (0.0, 1.0), (0.3, 0.86)):
        sheet.line(place.outline((right, 0.1), (right, tall)), wood, size * 0.014)
        for low, high, half in ((0.24, 0.47, 0.15), (0.5, 0.7, 0.12), (0.73, 0.88, 0.085)):
            top, bottom = high * tall, low * tall
            belly = smooth_curve(
                place.outline(
                    (right + half, top), (right + half * 1.12 + 0.03, (top + bottom) / 2), (right + half * 1.05, bottom)
                )
            )
            luff = smooth_curve(
                place.outline(
                    (right - half * 1.05, bottom), (right - half * 0.85 + 0.03, (top + bottom) / 2), (right - half, top)
                )
            )
            sheet.poly(np.concatenate([belly, luff]), sail)
            sheet.line(place.outline((right - half * 1.1, top), (right + half * 1.1, top)), wood, size * 0.008)
    _billow(stage, place, sheet)
    sheet.line(place.outline((0.5, 0.17), (0.72, 0.34)), wood, size * 0.012)
    deck = smooth_curve(place.outline((-0.58, 0.28), (-0.4, 0.2), (0.2, 0.13), (0.54, 0.2)))
    keel = smooth_curve(place.outline((0.44, -0.01), (0, -0.04), (-0.5, -0.02)))
    sheet.poly(np.concatenate([deck, keel]), hull)
    sheet.line(
        smooth_curve(place.outline((-0.56, 0.2), (-0.4, 0.14), (0.2, 0.08), (0.5, 0.14))),
        mix(hull, sail, 0.6),
        size * 0.014,
    )
    sheet.gradient(place.at(0, 0.2), place.at(0, -0.05), 1.1, 0.6)
    _afloat(stage, place, sheet)


def balloon(stage: Stage, place: Place) -> None:
    """A hot-air balloon with striped gores and a basket; its foot is the basket's."""
    canvas, size = stage.canvas, place.size
    sheet = canvas.cutout(place.x - size * 0.45, place.y - size * 1.05, place.x + size * 0.45, place.y + size * 0.05)
    first = stage.colour_of(place.noun, place.index, stage.accents[place.index % 2])
    second = _stripe(stage, place, first)
    gores = 10
    for gore in range(gores):
        left, right = (np.cos(np.pi * edge / gores) for edge in (gore, gore + 1))
        outline = [*_gore_edge(place, float(left)), *_gore_edge(place, float(right))[::-1]]
        sheet.poly(outline, first if gore % 2 else second)
    sheet.inflate(
        towards=stage.towards_light(place.x, place.y - size),
        depth=size * 0.34,
        strength=0.75,
        rim=stage.rim * np.float32(0.6),
    )
    rope = stage.mood.local(rgb("#3c2f27"))
    for top, bottom in ((-0.085, -0.042), (-0.03, -0.02), (0.03, 0.02), (0.085, 0.042)):
        sheet.line(place.outline((top, 0.24), (bottom, 0.1)), rope, size * 0.005)
    wicker = stage.mood.local(rgb("#8a5f3a"))
    sheet.poly(place.outline((-0.052, 0.1), (-0.04, 0), (0.04, 0), (0.052, 0.1)), wicker)
    sheet.line(place.outline((-0.054, 0.1), (0.054, 0.1)), shaded(wicker, 0.6), size * 0.012)
    canvas.lay(sheet)
    if stage.mood.dark:
        canvas.glow(place.at(0, 0.24), size * 0.12, rgb("#ffb04d"), strength=0.7)


def _stripe(stage: Stage, place: Place, first: Colours) -> Colours:
    own = place.noun.colours
    if len(own) > 1 and place.noun.count == 1:
        return stage.mood.local(named(own[1]))
    return mix(first, stage.mood.local(rgb("#fdf3df")), 0.72)


def _gore_edge(place: Place, side: float) -> list[tuple[float, float]]:
    angles = np.linspace(0.02, np.pi * 0.93, 22)
    half = np.sin(angles) ** 0.9 * (1 - 0.3 * np.clip(angles / np.pi - 0.5, 0, 1) * 2)
    return [
        place.at(float(0.36 * side * wide), float(0.62 + 0.4 * np.cos(angle)))
        for wide, angle in zip(half, angles, strict=True)
    ]
