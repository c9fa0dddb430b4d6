"""Outlines of animals: points given in the animal's own height, placed on the canvas and mirrored by its index.

As written an animal looks to the right. One of odd index does; one of even index is mirrored and looks left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.engine.paint.canvas import Point, smooth_curve
from atelier_mcp.server.engine.paint.stage import parse_points

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place


def make_closed_curve(place: Place, *points: Point) -> list[Point]:
    """A smooth closed outline through points of the animal; it looks right when index is odd, left otherwise."""
    side = 1.0 if place.index % 2 else -1.0
    curve = smooth_curve([place.to_canvas(side * right, up) for right, up in points], closed=True)
    return [(float(x), float(y)) for x, y in curve]


def mirror_point(place: Place, right: float, up: float) -> Point:
    """A point of the animal on the canvas, mirrored like its outlines."""
    return place.to_canvas(right if place.index % 2 else -right, up)


def shift_points(path: str, right: float) -> list[Point]:
    """The points of a path, moved to the right."""
    return [(x + right, y) for x, y in parse_points(path)]


def mirror_points(place: Place, path: str) -> list[Point]:
    """The points of a path as places of the animal, not closed."""
    return [mirror_point(place, right, up) for right, up in parse_points(path)]
