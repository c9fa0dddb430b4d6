"""Kites, hearts, umbrellas, snowmen, robots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _create_layer(stage: Stage, place: Place, half: float) -> Layer:
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - size * 1.15, place.x + half * size, place.y + size * 0.12
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.3)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.16, colour=dark, opacity=0.5, blur=reach * 0.1)


def paint_kite(stage: Stage, place: Place) -> None:
    """A diamond kite leaning in the wind, with a tail of bows, on a string that runs to the ground."""
    canvas, size = stage.canvas, place.size
    first = _brighten_cloth(stage, stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2]), place)
    second = _choose_second_colour(stage, place, first)
    lean = -1.0 if place.index % 2 else 1.0
    _paint_string(stage, place, lean)
    layer = _create_layer(stage, place, 0.6)
    top, bottom = (0.1 * lean, 1.0), (-0.06 * lean, 0.38)
    left, right, cross = (-0.27, 0.74), (0.3, 0.8), (0.045 * lean, 0.785)
    # The two arms differ: leaning the other way exchanges them.
    if lean < 0:
        left, right = (-0.3, 0.8), (0.27, 0.74)
    for corners, colour in (
        ((top, left, cross), first),
        ((top, right, cross), mix(first, second, 0.75)),
        ((bottom, left, cross), mix(first, second, 0.75)),
        ((bottom, right, cross), shade_colour(first, 0.9)),
    ):
        layer.poly(place.to_canvas_points(*corners), colour)
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y), depth=size * 0.12, strength=0.35, rim=stage.rim
    )
    stick = stage.mood.apply_light(rgb("#6b4a30"))
    layer.line(place.to_canvas_points(top, bottom), stick, size * 0.011)
    layer.line(smooth_curve(place.to_canvas_points(left, cross, right)), stick, size * 0.011)
    _paint_tail(place, layer, lean, (first, second))
    canvas.lay(layer)


def _brighten_cloth(stage: Stage, colour: Colours, place: Place) -> Colours:
    """Thin cloth against the sky keeps more of its own colour than a solid thing."""
    own = place.noun.colours
    return mix(colour, get_named_colour(own[place.index % len(own)]), 0.35 * stage.mood.key) if own else colour


def _choose_second_colour(stage: Stage, place: Place, first: Colours) -> Colours:
    own = place.noun.colours
    if len(own) > 1 and place.noun.count == 1:
        return stage.mood.apply_light(get_named_colour(own[1]))
    return mix(first, stage.mood.apply_light(rgb("#fdf3df")), 0.5)


def _paint_string(stage: Stage, place: Place, lean: float) -> None:
    """From the kite's middle down to whoever holds it, sagging; alone, it ends beside the tail."""
    canvas = stage.canvas
    start = place.to_canvas(0.045 * lean, 0.78)
    end = place.to_canvas(0.36 * lean, 0.02)
    if stage.mood.time != "alone":
        end = (start[0] + lean * canvas.unit * 0.34, canvas.height * 0.93)
    sag = (start[0] + (end[0] - start[0]) * 0.35, start[1] + (end[1] - start[1]) * 0.62)
    thread = mix(stage.mood.apply_light(rgb("#f3ead8")), stage.mood.shade, 0.35)
    canvas.line(smooth_curve([start, sag, end], steps=20), thread, max(1.0, canvas.unit * 0.0018), opacity=0.8)


def _paint_tail(place: Place, layer: Layer, lean: float, colours: tuple[Colours, Colours]) -> None:
    """A ribbon that waves downwind with a bow at every bend."""
    size = place.size
    ribbon = smooth_curve(
        [
            place.to_canvas(lean * right, up)
            for right, up in parse_points("-0.06,0.38 -0.14,0.28 -0.08,0.18 -0.2,0.1 -0.22,0.0")
        ]
    )
    layer.line(ribbon, shade_colour(colours[0], 0.8), size * 0.012)
    # Vertices 8, 16 and 24 are the bends and 31 is the end: eight for each stretch of the curve.
    for number, at in enumerate((8, 16, 24, 31)):
        x, y = (float(part) for part in ribbon[at])
        for side in (-1, 1):
            bow = [(x, y), (x + side * size * 0.055, y - size * 0.028), (x + side * size * 0.055, y + size * 0.028)]
            layer.poly(bow, colours[(number + 1) % 2])


def paint_heart(stage: Stage, place: Place) -> None:
    """A plump heart."""
    canvas, size = stage.canvas, place.size
    colour = stage.choose_colour(place.noun, place.index, rgb("#d42a3c"))
    layer = _create_layer(stage, place, 0.6)
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    # The well-known heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled to a height of 1.
    x = 16 * np.sin(turn) ** 3 / 34
    y = (13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn) + 17) / 29.5
    layer.poly([place.to_canvas(float(right), float(up)) for right, up in zip(x, y, strict=True)], colour)
    layer.inflate(towards=(-0.6, -0.8), depth=size * 0.32, strength=0.75, rim=stage.rim * np.float32(0.5))
    canvas.lay(layer)
    canvas.ellipse(
        place.to_canvas(-0.24, 0.8), size * 0.09, size * 0.05, colour=WHITE, opacity=0.6, blur=size * 0.02, degrees=-35
    )


def paint_umbrella(stage: Stage, place: Place) -> None:
    """An open umbrella on its stick, its panels in two tones."""
    canvas, size = stage.canvas, place.size
    cloth = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    second = (
        stage.mood.apply_light(get_named_colour(place.noun.colours[1]))
        if len(place.noun.colours) > 1
        else shade_colour(cloth, 0.82)
    )
    _paint_shadow(stage, place, 0.4)
    stick = _create_layer(stage, place, 0.65)
    wood = stage.mood.apply_light(rgb("#6b4a30"))
    stick.line(place.to_canvas_points((0, 1.02), (0, 0.1)), wood, size * 0.02)
    stick.line(
        smooth_curve(place.to_canvas_points((0, 0.1), (0.02, 0.03), (0.07, 0.02), (0.1, 0.08))), wood, size * 0.028
    )
    canvas.lay(stick)
    layer = _create_layer(stage, place, 0.65)
    panels = 6
    # Equal angles seen from the side: panels grow narrower towards the rim.
    edges = -np.cos(np.linspace(0, np.pi, panels + 1)) * 0.54
    for panel in range(panels):
        left, right = float(edges[panel]), float(edges[panel + 1])
        rim = place.to_canvas_points((left, 0.52), ((left + right) / 2, 0.575), (right, 0.52))
        outline = [*smooth_curve(rim), *_outline_rib(place, right), *_outline_rib(place, left)[::-1]]
        layer.poly([(float(x), float(y)) for x, y in outline], cloth if panel % 2 else second)
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y), depth=size * 0.3, strength=0.6, rim=stage.rim
    )
    canvas.lay(layer)


def _outline_rib(place: Place, side: float) -> list[tuple[float, float]]:
    """The edge of a panel from the rim up to the tip."""
    angles = np.linspace(0, np.pi / 2, 12)
    return [
        place.to_canvas(side * float(np.sin(angle)), 0.52 + 0.43 * float(np.cos(angle))) for angle in reversed(angles)
    ]


def paint_snowman(stage: Stage, place: Place) -> None:
    """Three balls of snow with a carrot, a hat and a scarf, which takes the colour."""
    canvas, size = stage.canvas, place.size
    snow = stage.mood.apply_light(rgb("#f6f9fc"))
    scarf = stage.choose_colour(place.noun, place.index, stage.accents[place.index % 2])
    # "A white snowman" means the snow; a white scarf would not be seen.
    if place.noun.colours[:1] == ("white",):
        scarf = stage.mood.apply_light(stage.accents[0])
    coal = stage.mood.apply_light(rgb("#1f1d22"))
    _paint_shadow(stage, place, 0.34)
    arms = _create_layer(stage, place, 0.6)
    for side in (-1, 1):
        branch = smooth_curve(place.to_canvas_points((side * 0.15, 0.5), (side * 0.3, 0.56), (side * 0.42, 0.66)))
        arms.taper(branch, stage.mood.apply_light(rgb("#5b4130")), size * 0.022, size * 0.01)
        twig = place.to_canvas_points((side * 0.34, 0.59), (side * 0.42, 0.58))
        arms.taper(twig, stage.mood.apply_light(rgb("#5b4130")), size * 0.012, size * 0.006)
    canvas.lay(arms)
    # A layer for each ball: shaded together they would be one rounded body.
    for up, radius in ((0.2, 0.24), (0.5, 0.175), (0.74, 0.125)):
        ball = _create_layer(stage, place, 0.6)
        ball.ellipse(place.to_canvas(0, up), size * radius, size * radius * 0.95, colour=snow)
        ball.inflate(towards=stage.compute_light_direction(place.x, place.y), depth=size * radius, strength=0.4)
        canvas.lay(ball)
    layer = _create_layer(stage, place, 0.6)
    for right, up, radius in ((-0.045, 0.775, 0.015), (0.045, 0.775, 0.015), (0, 0.56, 0.016), (0, 0.49, 0.016)):
        layer.ellipse(place.to_canvas(right, up), size * radius, colour=coal)
    layer.poly(place.to_canvas_points((0, 0.755), (0.15, 0.73), (0, 0.722)), stage.mood.apply_light(rgb("#ec7d28")))
    layer.poly(
        smooth_curve(
            place.to_canvas_points(*parse_points("-0.13,0.65 0,0.6 0.13,0.65 0.12,0.69 0,0.645 -0.12,0.69")),
            closed=True,
        ),
        scarf,
    )
    layer.poly(
        place.to_canvas_points((0.06, 0.65), (0.13, 0.64), (0.15, 0.46), (0.08, 0.46)), shade_colour(scarf, 0.82)
    )
    layer.poly(place.to_canvas_points((-0.17, 0.835), (-0.17, 0.86), (0.17, 0.86), (0.17, 0.835)), coal)
    layer.poly(
        place.to_canvas_points((-0.105, 0.855), (-0.1, 1.02), (0.1, 1.02), (0.105, 0.855)), mix(coal, WHITE, 0.08)
    )
    layer.poly(place.to_canvas_points((-0.105, 0.86), (-0.104, 0.895), (0.104, 0.895), (0.105, 0.86)), scarf)
    canvas.lay(layer)


def paint_robot(stage: Stage, place: Place) -> None:
    """A friendly robot of boxes, one hand raised."""
    canvas, size = stage.canvas, place.size
    metal = stage.choose_colour(place.noun, place.index, rgb("#a9b6c2"))
    dark, lamp = shade_colour(metal, 0.45), rgb("#7fe3f2")
    _paint_shadow(stage, place, 0.32)
    layer = _create_layer(stage, place, 0.55)
    for side in (-1, 1):
        layer.line(place.to_canvas_points((side * 0.1, 0.34), (side * 0.1, 0.06)), dark, size * 0.06)
        foot = parse_points("-0.07,0.0 -0.07,0.07 0.0,0.1 0.07,0.07 0.07,0.0")
        layer.poly([place.to_canvas(side * 0.11 + right, up) for right, up in foot], metal)
    raised = place.to_canvas_points((0.22, 0.56), (0.34, 0.5), (0.37, 0.66))
    for arm in (raised, place.to_canvas_points((-0.22, 0.56), (-0.31, 0.44), (-0.29, 0.3))):
        layer.line(smooth_curve(arm), dark, size * 0.05)
        layer.ellipse(arm[-1], size * 0.048, colour=metal)
    for path in (
        "-0.22,0.34 -0.24,0.38 -0.24,0.58 -0.2,0.62 0.2,0.62 0.24,0.58 0.24,0.38 0.22,0.34",
        "-0.2,0.68 -0.23,0.72 -0.23,0.9 -0.19,0.94 0.19,0.94 0.23,0.9 0.23,0.72 0.2,0.68",
    ):
        layer.poly(place.to_canvas_points(*parse_points(path)), metal)
    layer.line(place.to_canvas_points((0, 0.62), (0, 0.68)), dark, size * 0.1)
    layer.line(place.to_canvas_points((0, 0.94), (0, 1.03)), dark, size * 0.02)
    layer.inflate(
        towards=stage.compute_light_direction(place.x, place.y), depth=size * 0.09, strength=0.6, rim=stage.rim
    )
    layer.poly(place.to_canvas_points(*parse_points("-0.18,0.73 -0.18,0.88 0.18,0.88 0.18,0.73")), rgb("#1d2733"))
    for right in (-0.085, 0.085):
        layer.ellipse(place.to_canvas(right, 0.82), size * 0.038, colour=lamp)
        layer.ellipse(place.to_canvas(right - 0.01, 0.83), size * 0.012, colour=WHITE)
    layer.line(smooth_curve(place.to_canvas_points((-0.06, 0.765), (0, 0.748), (0.06, 0.765))), lamp, size * 0.012)
    layer.poly(
        place.to_canvas_points(*parse_points("-0.15,0.42 -0.15,0.55 0.15,0.55 0.15,0.42")), shade_colour(metal, 0.72)
    )
    for right, colour in ((-0.09, "#e0453a"), (0.0, "#f2b63b"), (0.09, "#58b368")):
        layer.ellipse(place.to_canvas(right, 0.485), size * 0.024, colour=rgb(colour))
    layer.ellipse(place.to_canvas(0, 1.05), size * 0.03, colour=rgb("#e0453a"))
    canvas.lay(layer)
