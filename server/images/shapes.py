"""The areas a mask is drawn from, in pixels of the picture they lie on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

ShapeKind: TypeAlias = Literal["box", "ellipse", "polygon", "stroke"]


DEFAULT_WIDTH_PX: Final = 24


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
