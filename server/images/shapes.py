"""The areas a mask is drawn from, in pixels of the picture they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

ShapeKind: TypeAlias = Literal["box", "ellipse", "polygon", "stroke"]


DEFAULT_WIDTH_PX: Final = 24
MAX_DRAWING_COST: Final = 30_000_000
"""In lines of the picture that are gone over once a point: about three seconds."""
_STROKE_FACTOR: Final = 1.5
_STROKE_PX_PER_LINE: Final = 250
"""Of a stroke's width, which costs as much as another line."""


@dataclass(frozen=True, slots=True)
class MaskShape:
    """One area; the origin is the picture's top left corner.

    A box and an ellipse have two corners, of which the second is not part of them; a polygon has three points or
    more; a stroke is the way of a round brush. Whoever makes one has checked that its points suit its kind.
    """

    type: ShapeKind
    points: tuple[int, ...]
    """x1, y1, x2, y2, ..."""
    width: int = DEFAULT_WIDTH_PX
    """Of a stroke, in pixels; the other kinds do not use it."""
    subtracts: bool = False
    """True when the area is taken away from what is marked so far."""


def check_drawing_cost(shapes: Iterable[MaskShape], size: tuple[int, int]) -> None:
    """Pass shapes that are drawn in some seconds on a picture of ``size``; raise ``InvalidRequest`` for any others."""
    cost = size[1] * sum(_count_lines(shape) for shape in shapes)
    if cost > MAX_DRAWING_COST:
        raise InvalidRequest(
            f"shapes: with so many points they take too long to draw on {size[0]}x{size[1]} pixels, "
            f"{cost / MAX_DRAWING_COST:.1f} times what is possible.",
            hint="Give fewer points, thinner strokes, or a mask picture.",
        )


def _count_lines(shape: MaskShape) -> float:
    """How often a shape goes over each line of a picture, at most."""
    points = len(shape.points) // 2
    if shape.type == "stroke":
        return points * (_STROKE_FACTOR + shape.width / _STROKE_PX_PER_LINE)
    return points
