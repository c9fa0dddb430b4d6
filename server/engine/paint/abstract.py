"""Abstract pictures: marbled flows (domain-warped noise), and compositions of plain geometric shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse
from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, make_gradient, mix, rgb, shade_colour
from atelier_mcp.server.engine.pixels import make_cloud_noise, to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours, Pixels

_PALETTES = (
    ("#1b3a4b", "#e07a5f", "#f4f1de", "#81b29a", "#f2cc8f"),
    ("#22223b", "#c9545d", "#f2e9e4", "#4a7a9c", "#e8b04b"),
    ("#073b4c", "#118ab2", "#f7f3e3", "#ffd166", "#ef476f"),
    ("#2b2d42", "#d90429", "#edf2f4", "#f2a541", "#3a7d7c"),
)


def choose_abstract_colours(stage: Stage) -> list[Colours]:
    """A dark colour, the prompt's colours or a palette's, and a light one, in this order."""
    rng = stage.canvas.make_rng("abstract colours")
    noun = stage.prompt.find_scene("abstract") or stage.prompt.find_scene("geometric")
    names = (*(noun.colours if noun else ()), *stage.prompt.colours)
    palette = [rgb(value) for value in _PALETTES[int(rng.integers(len(_PALETTES)))]]
    if not names:
        return palette
    own = [get_named_colour(name) for name in names]
    middle = [*own, *(mix(colour, palette[2], 0.5) for colour in own)]
    return [shade_colour(own[0], 0.28), *middle, palette[2]]


def make_swatches(names: Sequence[str]) -> Pixels:
    """A small image of the named colours and nothing else, each from dark to light, evenly spread over the frame."""
    stops = [part for name in names for part in _spread_tones(get_named_colour(name))]
    ramp = to_bytes(make_gradient(sorted(stops, key=lambda colour: float(colour.mean())), 64))
    return np.tile(ramp[None], (256, 4, 1))


def _spread_tones(colour: Colours) -> list[Colours]:
    return [shade_colour(colour, 0.22), shade_colour(colour, 0.65), colour, mix(colour, WHITE, 0.55)]


def paint_flow(stage: Stage) -> None:
    """Colour folded twice through noise, like marbled paper, with the light of a raised surface."""
    canvas = stage.canvas
    rng = canvas.make_rng("flow")
    shape, unit = (canvas.height, canvas.width), canvas.unit
    first = make_cloud_noise(rng, *shape, unit / 1.5, octaves=3) - np.float32(0.5)
    second = make_cloud_noise(rng, *shape, unit / 1.5, octaves=3) - np.float32(0.5)
    # Domain warping: noise read at places that other noise has displaced, which draws it out into folds.
    columns = canvas.get_columns() + first * np.float32(unit * 1.1)
    rows = canvas.get_rows() + second * np.float32(unit * 1.1)
    base = make_cloud_noise(rng, *shape, unit / 1.8, octaves=4)
    folded = cv2.remap(base, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    # Stretched to the whole range: noise crowds around its middle, and most colours of the palette would be missing.
    low, high = np.percentile(folded[::8, ::8], (1, 99))
    level = np.clip((folded - np.float32(low)) / np.float32(high - low), 0, 1)
    colours = choose_abstract_colours(stage)
    order = [0, *(1 + rng.permutation(len(colours) - 1))]
    table = make_gradient([colours[index] for index in order], 1024)
    canvas.image[:] = table[(level * 1023).astype(np.intp)]
    smooth = cv2.GaussianBlur(level, (0, 0), unit / 400)
    light = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) + cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    canvas.image *= (1 + np.clip(light * np.float32(unit / 220), -0.28, 0.28))[..., None]


def paint_geometry(stage: Stage) -> None:
    """A Bauhaus-like sheet: a grid of blocks with discs, quarter circles, triangles and bars."""
    canvas = stage.canvas
    rng = canvas.make_rng("geometry")
    colours = choose_abstract_colours(stage)
    ground = colours[-1]
    canvas.image[:] = ground
    if rng.random() < 0.5:
        _paint_tiles(canvas, rng, colours)
    else:
        _paint_free_shapes(canvas, rng, colours)
    paper = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit / 160, octaves=2)
    canvas.image *= (0.965 + 0.07 * paper)[..., None]


def _paint_tiles(canvas: Canvas, rng: np.random.Generator, colours: list[Colours]) -> None:
    across = int(rng.integers(4, 6))
    side = canvas.unit / across
    columns, rows = int(np.ceil(canvas.width / side)), int(np.ceil(canvas.height / side))
    for row in range(rows):
        for column in range(columns):
            first, second, third = (colours[int(i)] for i in rng.choice(len(colours), 3, replace=len(colours) < 3))
            _paint_tile(canvas, rng, (column * side, row * side, side), (first, second, third))


def _paint_tile(
    canvas: Canvas,
    rng: np.random.Generator,
    square: tuple[float, float, float],
    colours: tuple[Colours, Colours, Colours],
) -> None:
    """One square with one figure in it, clipped to the square."""
    x, y, side = square
    # The layer is as large as the square, which clips the figure; a square of broken width reaches one pixel further.
    layer = canvas.create_layer(round(x), round(y), round(x + side) + (x % 1 > 0), round(y + side) + (y % 1 > 0))
    layer.poly([(x - 2, y - 2), (x + side + 2, y - 2), (x + side + 2, y + side + 2), (x - 2, y + side + 2)], colours[0])
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    corner = int(rng.integers(4))
    kind = int(rng.integers(6))
    if kind == 0:
        for ring, tone in ((1.0, colours[1]), (0.66, colours[2]), (0.33, colours[0])):
            layer.poly(build_ellipse(corners[corner], side * ring), tone)
    elif kind == 1:
        layer.poly(build_ellipse((x + side / 2, y + side / 2), side * 0.46), colours[1])
        layer.poly(build_ellipse((x + side / 2, y + side / 2), side * 0.2), colours[2])
    elif kind == 2:
        layer.poly([corners[corner], corners[(corner + 1) % 4], corners[(corner + 2) % 4]], colours[1])
    elif kind == 3:
        for bar in range(0, 6, 2):
            low = y + side * bar / 6
            layer.poly([(x, low), (x + side, low), (x + side, low + side / 6), (x, low + side / 6)], colours[1])
    elif kind == 4:
        start, end = corners[corner], corners[(corner + 1) % 4]
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        layer.poly(build_ellipse(middle, side / 2), colours[1])
    else:
        layer.poly(build_ellipse(corners[corner], side), colours[1])
        layer.poly(build_ellipse(corners[(corner + 2) % 4], side * 0.4), colours[2])
    canvas.lay(layer)


def _paint_free_shapes(canvas: Canvas, rng: np.random.Generator, colours: list[Colours]) -> None:
    """Large plain figures on a ground, a few thin black lines across them."""
    width, height, unit = canvas.width, canvas.height, canvas.unit
    angle = rng.uniform(-0.5, 0.5)
    for index in range(13):
        colour = colours[index % (len(colours) - 1)]
        size = unit * rng.uniform(0.07, 0.27) * (1.3 if index < 3 else 1.0)
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
        _paint_figure(canvas, rng, (x, y, size), colour, angle)
    ink = shade_colour(colours[0], 0.5)
    for _ in range(5):
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height
        along = (
            np.array([np.cos(angle), np.sin(angle)])
            if rng.random() < 0.5
            else np.array([-np.sin(angle), np.cos(angle)])
        )
        reach = unit * rng.uniform(0.2, 0.5)
        start, end = np.array([x, y]) - along * reach, np.array([x, y]) + along * reach
        canvas.line(np.stack([start, end]), ink, unit * float(rng.choice([0.004, 0.007, 0.016])))


def _paint_figure(
    canvas: Canvas, rng: np.random.Generator, place: tuple[float, float, float], colour: Colours, angle: float
) -> None:
    x, y, size = place
    kind = int(rng.integers(5))
    turn = angle + float(rng.integers(4)) * np.pi / 2
    if kind == 0:
        canvas.poly(build_ellipse((x, y), size), colour, opacity=0.94)
    elif kind == 1:
        angles = np.linspace(0, np.pi, 32) + turn
        canvas.poly(np.stack([x + np.cos(angles) * size, y + np.sin(angles) * size], axis=1), colour, opacity=0.96)
    elif kind == 2:
        angles = turn + np.array([0, 2.094, 4.189])
        canvas.poly(np.stack([x + np.cos(angles) * size, y + np.sin(angles) * size], axis=1), colour, opacity=0.94)
    elif kind == 3:
        along, aside = (
            np.array([np.cos(turn), np.sin(turn)]) * size * 1.5,
            np.array([-np.sin(turn), np.cos(turn)]) * size * 0.3,
        )
        centre = np.array([x, y])
        canvas.poly(
            np.stack([centre - along - aside, centre + along - aside, centre + along + aside, centre - along + aside]),
            colour,
            opacity=0.94,
        )
    else:
        outer = build_ellipse((x, y), size)
        canvas.line(np.concatenate([outer, outer[:1]]), colour, size * 0.22)
