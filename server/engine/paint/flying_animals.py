"""Birds on the wing and butterflies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place, Stage

_DARK: Final = rgb("#2a2024")


def paint_flying_bird(stage: Stage, place: Place) -> None:
    """A bird on the wing, seen from afar; its size is its span."""
    rng = stage.canvas.make_rng(f"bird{place.index}")
    own = place.noun.colours
    # Against the sky a bird is dark, unless a colour was asked for.
    colour = (
        stage.mood.apply_light(get_named_colour(own[place.index % len(own)]))
        if own
        else mix(stage.mood.sky[0], _DARK, 0.65)
    )
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.7, place.y - size * 0.6, place.x + size * 0.7, place.y + size * 0.4
    )
    lift = rng.uniform(0.12, 0.34)
    for side in (-1, 1):
        front = smooth_curve(
            [place.to_canvas(0, 0.02), place.to_canvas(side * 0.22, lift), place.to_canvas(side * 0.5, lift * 0.55)]
        )
        back = smooth_curve(
            [
                place.to_canvas(side * 0.5, lift * 0.55),
                place.to_canvas(side * 0.24, lift * 0.62),
                place.to_canvas(0, -0.05),
            ]
        )
        layer.poly(np.concatenate([front, back]), colour)
    layer.poly(
        smooth_curve(place.to_canvas_points((-0.02, 0.05), (0.06, 0.0), (0.0, -0.14), (-0.06, 0.0)), closed=True),
        colour,
    )
    stage.canvas.lay(layer)


def paint_butterfly(stage: Stage, place: Place) -> None:
    """A butterfly with open wings."""
    size = place.size
    layer = stage.canvas.create_layer(
        place.x - size * 0.7, place.y - size * 1.05, place.x + size * 0.7, place.y + size * 0.05
    )
    wing = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    for side in (-1, 1):
        for outline, inner in (
            (
                ((0, 0.5), (side * 0.26, 0.96), (side * 0.52, 0.94), (side * 0.46, 0.62), (side * 0.2, 0.46)),
                (side * 0.3, 0.72),
            ),
            (
                ((0, 0.46), (side * 0.24, 0.44), (side * 0.38, 0.24), (side * 0.22, 0.06), (side * 0.06, 0.24)),
                (side * 0.2, 0.28),
            ),
        ):
            curve = smooth_curve(place.to_canvas_points(*outline), closed=True)
            layer.poly(curve, shade_colour(wing, 0.3))
            centre = np.asarray(place.to_canvas(*inner), np.float32)
            # The wing once more, smaller: what is left around it is its dark border.
            layer.poly(centre + (curve - centre) * 0.82, wing)
            layer.ellipse(place.to_canvas(*inner), size * 0.05, size * 0.035, colour=mix(wing, rgb("#fff3cf"), 0.7))
    layer.taper([place.to_canvas(0, 0.72), place.to_canvas(0, 0.2)], _DARK, size * 0.05, size * 0.02)
    for side in (-1, 1):
        layer.line(
            smooth_curve(place.to_canvas_points((0, 0.72), (side * 0.06, 0.86), (side * 0.14, 0.92))),
            _DARK,
            size * 0.008,
        )
    stage.canvas.lay(layer)
