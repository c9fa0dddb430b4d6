"""A skyline: three rows of towers that fade with distance, mist between them, windows, and neon signs if asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours

_WINDOW_LIGHT = rgb("#ffdc94")


@dataclass(frozen=True, slots=True)
class _Tower:
    left: float
    top: float
    width: float
    colour: Colours
    nearness: float


def paint_city(stage: Stage, base: int) -> None:
    """Fill the sky line above the row ``base`` with three rows of towers."""
    canvas, mood = stage.canvas, stage.mood
    rng = canvas.make_rng("city")
    neon = stage.prompt.has("neon")
    near = mix(mood.sky[0], rgb("#20222c"), 0.5) if mood.is_dark else mood.apply_light(rgb("#7d8894"))
    lights = choose_neon_colours(stage)
    for row in range(3):
        nearness = row / 2
        colour = mix(mix(near, mood.haze, 0.7), near, nearness)
        left = -canvas.unit * 0.03
        while left < canvas.width:
            tower = _make_tower(stage, rng, left, base, colour, nearness)
            _paint_tower(stage, rng, tower, base, lights if neon else None)
            # Below 1 the next tower overlaps this one, above 1 it leaves a gap.
            left += tower.width * rng.uniform(0.82, 1.3)
        # Mist between the rows sets them apart; none before the nearest.
        if row < 2:
            rows = canvas.get_rows()[:base]
            mist = np.clip((rows - np.float32(base - canvas.unit * 0.26)) / np.float32(canvas.unit * 0.26), 0, 1)
            glow = mix(mood.haze, lights[0], 0.35) if neon else mood.haze
            canvas.blend(np.broadcast_to(mist * np.float32(0.42), (base, canvas.width)), glow, bottom=base)


def choose_neon_colours(stage: Stage) -> list[Colours]:
    """The colours of the signs: those of the prompt, then pink and cyan."""
    noun = stage.prompt.find_scene("neon")
    names = (*(noun.colours if noun else ()), *stage.prompt.colours)
    return [*(get_named_colour(name) for name in names), rgb("#ff3fa8"), rgb("#2fd6ee"), rgb("#9a5cff")][:4]


def _make_tower(
    stage: Stage, rng: np.random.Generator, left: float, base: int, colour: Colours, nearness: float
) -> _Tower:
    unit = stage.canvas.unit
    width = unit * rng.uniform(0.045, 0.1) * (0.75 + 0.5 * nearness)
    # One tower in seven stands out.
    height = unit * rng.uniform(0.13, 0.4) * (1.05 - 0.38 * nearness) * (1.45 if rng.random() < 0.14 else 1.0)
    return _Tower(left, base - min(height, base * 0.86), width, shade_colour(colour, rng.uniform(0.85, 1.12)), nearness)


def _paint_tower(stage: Stage, rng: np.random.Generator, tower: _Tower, base: int, signs: list[Colours] | None) -> None:
    canvas = stage.canvas
    left, top, width = tower.left, tower.top, tower.width
    right = left + width
    # The corner of the tower: the lit face is the broad one.
    edge = left + width * (0.68 if stage.sun[0] < left else 0.32)
    lit_left = stage.sun[0] < left
    faces = ((left, edge, 1.12 if lit_left else 0.78), (edge, right, 0.78 if lit_left else 1.12))
    for start, end, tone in faces:
        canvas.poly([(start, base + 2), (start, top), (end, top), (end, base + 2)], shade_colour(tower.colour, tone))
    _paint_roof(stage, rng, tower)
    # At night the farthest row stays a dark silhouette.
    if tower.nearness > 0.2 or not stage.mood.is_dark:
        _paint_windows(stage, rng, tower, base)
    if signs and rng.random() < 0.6:
        _paint_sign(stage, rng, tower, base, signs[int(rng.integers(len(signs)))])


def _paint_roof(stage: Stage, rng: np.random.Generator, tower: _Tower) -> None:
    canvas = stage.canvas
    middle = tower.left + tower.width / 2
    kind = int(rng.integers(5))
    if kind == 0:
        canvas.line([(middle, tower.top), (middle, tower.top - canvas.unit * 0.055)], tower.colour, canvas.unit * 0.003)
    elif kind == 1:
        step = tower.width * 0.22
        rise = canvas.unit * 0.028
        outline = [
            (tower.left + step, tower.top + 1),
            (tower.left + step, tower.top - rise),
            (tower.left + tower.width - step, tower.top - rise),
            (tower.left + tower.width - step, tower.top + 1),
        ]
        canvas.poly(outline, shade_colour(tower.colour, 0.95))
    elif kind == 2:
        canvas.poly(
            [
                (tower.left, tower.top + 1),
                (middle, tower.top - canvas.unit * 0.045),
                (tower.left + tower.width, tower.top + 1),
            ],
            shade_colour(tower.colour, 1.05),
        )


def _paint_windows(stage: Stage, rng: np.random.Generator, tower: _Tower, base: int) -> None:
    """A grid of windows; some are lit.

    Drawn five cells a window and averaged down to size: at distance the windows merge into a glow without flicker.
    """
    canvas, mood = stage.canvas, stage.mood
    pitch_x, pitch_y = canvas.unit * 0.0095, canvas.unit * 0.0145
    columns, rows = int(tower.width * 0.86 / pitch_x), int((base - tower.top) / pitch_y) - 1
    if columns < 2 or rows < 2:
        return
    # By day every pane mirrors the sky; at night two in five are lit.
    share = 0.4 if mood.is_dark else 1.0
    lit = (rng.random((rows, columns)) < share) * rng.uniform(0.35, 1.0, (rows, columns))
    cells = np.zeros((rows * 5, columns * 5), np.float32)
    # Three of five cells each way are pane, the others wall.
    for row in range(1, 4):
        for column in range(1, 4):
            cells[row::5, column::5] = lit
    x0, y0 = int(tower.left + tower.width * 0.07), int(tower.top + pitch_y * 0.6)
    cover = cv2.resize(cells, (int(columns * pitch_x), int(rows * pitch_y)), interpolation=cv2.INTER_AREA)
    left, right = max(0, x0), min(canvas.width, x0 + cover.shape[1])
    top, bottom = max(0, y0), min(base, y0 + cover.shape[0])
    if right <= left or bottom <= top:
        return
    cover = cover[top - y0 : bottom - y0, left - x0 : right - x0, None]
    colour = _WINDOW_LIGHT if mood.is_dark else mix(mood.sky[1], tower.colour, 0.35)
    view = canvas.image[top:bottom, left:right]
    view += (colour - view) * cover * np.float32((0.35 + 0.6 * tower.nearness) if mood.is_dark else 0.55)


def _paint_sign(stage: Stage, rng: np.random.Generator, tower: _Tower, base: int, colour: Colours) -> None:
    canvas = stage.canvas
    x = tower.left + tower.width * rng.uniform(0.15, 0.85)
    top = tower.top + (base - tower.top) * rng.uniform(0.08, 0.3)
    bottom = top + (base - tower.top) * rng.uniform(0.15, 0.45)
    # A neon tube: its glow, the tube, and a core that is nearly white.
    canvas.glow((x, (top + bottom) / 2), canvas.unit * 0.035, colour, strength=0.55)
    canvas.line([(x, top), (x, bottom)], colour, canvas.unit * 0.012, opacity=0.6, blur=canvas.unit * 0.005)
    canvas.line([(x, top), (x, bottom)], mix(colour, rgb("#ffffff"), 0.45), canvas.unit * 0.004)
