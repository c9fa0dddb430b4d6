"""Pizza, on the table of a still life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.still_life import cast_shadow

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage

_FLATTENED = 0.42
"""How much less deep than wide a disc looks from where the viewer stands."""


def paint_pizza(stage: Stage, place: Place) -> None:
    """A pizza on a board, seen at a slant; its size is half of its width."""
    canvas, size = stage.canvas, place.size
    rng = canvas.make_rng(f"pizza{place.index}")
    centre = place.to_canvas(0, 0.46)
    cast_shadow(canvas, place.x, place.y - size * 0.02, size * 0.95)
    layer = canvas.create_layer(place.x - size * 1.2, place.y - size * 1.0, place.x + size * 1.2, place.y + size * 0.1)
    board = rgb("#a87848")
    for down, tone in ((0.09, 0.55), (0.03, 1.0)):
        layer.ellipse(
            (centre[0], centre[1] + size * down),
            size * 1.08,
            size * 1.08 * _FLATTENED,
            colour=shade_colour(board, tone),
        )
    crust = rgb("#d59a4e")
    layer.ellipse(
        (centre[0], centre[1] + size * 0.02), size * 0.98, size * 0.98 * _FLATTENED, colour=shade_colour(crust, 0.62)
    )
    rim = build_ellipse((centre[0], centre[1] - size * 0.02), size * 0.97, size * 0.97 * _FLATTENED)
    layer.poly(rim, crust)
    for angle in np.linspace(0, 2 * np.pi, 30, endpoint=False):
        spot = _place_on(centre, size, float(angle), 0.9)
        tone = shade_colour(crust, rng.uniform(0.8, 1.18))
        layer.ellipse(spot, size * 0.1, size * 0.06, colour=tone)
    layer.ellipse((centre[0], centre[1] - size * 0.015), size * 0.84, size * 0.83 * _FLATTENED, colour=rgb("#c4452a"))
    cheese = stage.mood.apply_light(rgb("#f2cb62"))
    layer.ellipse((centre[0], centre[1] - size * 0.02), size * 0.8, size * 0.79 * _FLATTENED, colour=cheese)
    for _ in range(26):
        spot = _place_on(centre, size, rng.uniform(0, 6.28), 0.72 * float(np.sqrt(rng.random())))
        tone = mix(rgb("#f7dd90"), rgb("#e5a942"), rng.random())
        layer.ellipse(spot, size * rng.uniform(0.05, 0.12), size * rng.uniform(0.02, 0.05), colour=tone)
    _paint_topping(layer, rng, centre, size)
    layer.gradient((centre[0] - size, centre[1] - size * 0.3), (centre[0] + size, centre[1] + size * 0.3), 1.1, 0.78)
    canvas.lay(layer)


def _place_on(centre: tuple[float, float], size: float, angle: float, out: float) -> tuple[float, float]:
    return (
        centre[0] + float(np.cos(angle)) * out * size,
        centre[1] - size * 0.02 + float(np.sin(angle)) * out * size * _FLATTENED,
    )


def _paint_topping(layer: Layer, rng: np.random.Generator, centre: tuple[float, float], size: float) -> None:
    """Slices of salami with a rim and a gleam, leaves of basil between them."""
    angles = [0.4 + step * 2.39996 for step in range(11)]
    slices = [
        _place_on(centre, size, angle, 0.66 * float(np.sqrt((step + 0.6) / 11))) for step, angle in enumerate(angles)
    ]
    for x, y in sorted(slices, key=lambda spot: spot[1]):
        layer.ellipse((x, y + size * 0.012), size * 0.125, size * 0.06, colour=rgb("#8f2a1e"))
        layer.ellipse((x, y), size * 0.12, size * 0.056, colour=rgb("#c23a2a"))
        for _ in range(4):
            speck = (x + rng.uniform(-0.07, 0.07) * size, y + rng.uniform(-0.028, 0.028) * size)
            layer.ellipse(speck, size * 0.018, size * 0.01, colour=rgb("#e08a72"))
        layer.ellipse(
            (x - size * 0.04, y - size * 0.02), size * 0.03, size * 0.01, colour=mix(rgb("#c23a2a"), WHITE, 0.4)
        )
    for step in range(7):
        spot = _place_on(centre, size, 1.3 + step * 2.39996, 0.6 * float(np.sqrt((step + 0.5) / 7)))
        leaf = build_ellipse(spot, size * 0.075, size * 0.028, degrees=float(rng.uniform(-40, 40)))
        layer.poly(leaf, rgb("#3f7a35"))
        layer.line(np.stack([leaf[0], leaf[24]]), rgb("#7fb06a"), size * 0.008)
