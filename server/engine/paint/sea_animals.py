"""Fish and whales, seen from the side; their foot is below the belly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.animal_outlines import make_closed_curve, mirror_point
from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place, Stage


def paint_fish(stage: Stage, place: Place) -> None:
    """A fish from the side, with fins and scales; its foot is below its belly."""
    rng = stage.canvas.make_rng(f"fish{place.index}")
    size = place.size
    layer = stage.canvas.create_layer(place.x - size, place.y - size * 0.95, place.x + size, place.y + size * 0.3)
    own = stage.choose_colour(
        place.noun, place.index, rgb(("#f08a2c", "#e8c23a", "#3f8fd0", "#d9527a")[place.index % 4])
    )
    fin = mix(own, rgb("#fff1d6"), 0.35)
    layer.poly(make_closed_curve(place, (-0.5, 0.36), (-0.86, 0.66), (-0.76, 0.36), (-0.86, 0.06)), fin)
    layer.poly(make_closed_curve(place, (-0.16, 0.56), (-0.1, 0.8), (0.2, 0.72), (0.2, 0.56)), fin)
    layer.poly(make_closed_curve(place, (-0.1, 0.16), (-0.16, -0.02), (0.08, 0.08), (0.1, 0.16)), fin)
    layer.poly(
        make_closed_curve(
            place, *parse_points("-0.58,0.38 -0.3,0.52 0.1,0.64 0.44,0.54 0.6,0.38 0.44,0.22 0.1,0.1 -0.3,0.22")
        ),
        own,
    )
    for _ in range(60):
        right, up = rng.uniform(-0.4, 0.32), rng.uniform(0.2, 0.56)
        # Scales well inside the body, or they would stick out of its outline.
        if (right / 0.55) ** 2 + ((up - 0.38) / 0.2) ** 2 < 0.8:
            layer.ellipse(
                mirror_point(place, right, up),
                size * 0.022,
                size * 0.016,
                colour=shade_colour(own, rng.uniform(0.88, 1.16)),
            )
    layer.inflate(towards=(-0.3, -0.95), depth=size * 0.2, strength=0.55, rim=stage.rim * np.float32(0.6))
    layer.poly(make_closed_curve(place, (0.12, 0.38), (-0.06, 0.3), (-0.04, 0.44)), fin)
    eye = mirror_point(place, 0.43, 0.43)
    layer.ellipse(eye, size * 0.045, colour=rgb("#f7f3e4"))
    layer.ellipse(eye, size * 0.026, colour=rgb("#14110f"))
    stage.canvas.lay(layer)


def paint_whale(stage: Stage, place: Place) -> None:
    """A whale from the side."""
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 1.3, place.y - size * 0.9, place.x + size * 1.3, place.y + size * 0.3
    )
    skin = stage.choose_colour(place.noun, place.index, rgb("#46617c"))
    layer.poly(make_closed_curve(place, (-0.7, 0.3), (-1.06, 0.62), (-0.98, 0.34), (-1.14, 0.1), (-0.74, 0.2)), skin)
    layer.poly(
        make_closed_curve(
            place,
            *parse_points("-0.9,0.28 -0.4,0.42 0.1,0.56 0.66,0.52 0.94,0.34 0.86,0.16 0.5,0.04 0.0,0.06 -0.5,0.16"),
        ),
        skin,
    )
    belly = mix(skin, rgb("#e4e9ea"), 0.7)
    layer.poly(
        make_closed_curve(place, (0.9, 0.22), (0.82, 0.12), (0.5, 0.04), (0.05, 0.07), (0.2, 0.15), (0.6, 0.2)), belly
    )
    layer.inflate(towards=(-0.25, -0.97), depth=size * 0.24, strength=0.6, rim=stage.rim * np.float32(0.6))
    # The grooves of the throat.
    for up in (0.07, 0.1, 0.13, 0.16):
        layer.line(
            smooth_curve(
                [
                    mirror_point(place, 0.86, up + 0.06),
                    mirror_point(place, 0.55, up),
                    mirror_point(place, 0.22, up + 0.02),
                ]
            ),
            shade_colour(belly, 0.75),
            size * 0.005,
        )
    layer.poly(make_closed_curve(place, (0.34, 0.14), (0.12, -0.16), (0.14, 0.1)), shade_colour(skin, 0.8))
    layer.ellipse(mirror_point(place, 0.68, 0.27), size * 0.016, colour=rgb("#0f1114"))
    stage.canvas.lay(layer)
