"""What every painter is given: a `Stage` (canvas, prompt, light, horizon) and a `Place` for the thing to paint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.colour import get_named_colour, mix

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas, Point
    from atelier_mcp.server.engine.paint.colour import Mood
    from atelier_mcp.server.engine.pixels import Colours
    from atelier_mcp.server.engine.prompt import Noun, Prompt


@dataclass(frozen=True, slots=True)
class Stage:
    """The canvas with its light; ``horizon`` is a row, ``sun`` the point the light comes from, often outside.

    ``accents`` are two colours for things whose own was not said.
    """

    canvas: Canvas
    prompt: Prompt
    mood: Mood
    horizon: int
    sun: Point
    accents: tuple[Colours, Colours]

    def compute_light_direction(self, x: float, y: float) -> Point:
        """The unit vector from a place to the light, never quite level and never from below."""
        dx, dy = self.sun[0] - x, min(self.sun[1] - y, -0.35 * self.canvas.unit)
        length = float(np.hypot(dx, dy)) or 1.0
        return dx / length, dy / length

    @property
    def lamp(self) -> Colours:
        """The colour of a window: lit in the dark, glass by day."""
        warm = np.array([1.0, 0.82, 0.48], np.float32)
        return warm if self.mood.is_dark else mix(self.mood.sky[1], np.zeros(3, np.float32), 0.55)

    @property
    def rim(self) -> Colours:
        """The light along an edge that faces the sun."""
        return self.mood.light * np.float32(0.35 + 0.25 * self.mood.key)

    def choose_colour(self, noun: Noun | None, index: int, otherwise: Colours) -> Colours:
        """The noun's own colour (its colours in turn for several things), or another, under this light."""
        if noun is None or not noun.colours:
            return self.mood.apply_light(otherwise)
        return self.mood.apply_light(get_named_colour(noun.colours[index % len(noun.colours)]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing stands: its foot at (x, y), about ``size`` pixels tall; ``index`` counts things of its kind.

    Painters draw in the thing's own units (see `to_canvas`), vary by the index, and many mirror odd ones.
    """

    noun: Noun
    x: float
    y: float
    size: float
    index: int = 0

    def to_canvas(self, right: float, up: float) -> Point:
        """A point of the thing, in its own height: (0, 0) is the foot, (0, 1) the top."""
        return self.x + right * self.size, self.y - up * self.size

    def to_canvas_points(self, *points: Point) -> list[Point]:
        """Several such points."""
        return [self.to_canvas(*point) for point in points]


def parse_points(path: str) -> list[Point]:
    """The points of a path written "x,y x,y ...", as outlines are drawn by hand."""
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in path.split())]
