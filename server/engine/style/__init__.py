"""Style filters: a picture redrawn in one of ten hands, at the same size."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.pixels import generator
from atelier_mcp.server.engine.style.drawings import colour_pencil, pencil
from atelier_mcp.server.engine.style.paintings import ink, oil, watercolour
from atelier_mcp.server.engine.style.prints import comic, duotone, pixel, poster, vintage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from atelier_mcp.server.engine.pixels import Pixels

_HANDS: Final[Mapping[str, Callable[[Pixels, np.random.Generator], Pixels]]] = MappingProxyType(
    {
        "oil": oil,
        "watercolour": watercolour,
        "pencil": pencil,
        "colour_pencil": colour_pencil,
        "ink": ink,
        "pixel": pixel,
        "poster": poster,
        "comic": comic,
        "duotone": duotone,
        "vintage": vintage,
    }
)

STYLES: Final[tuple[str, ...]] = tuple(_HANDS)
"""The names :func:`stylise` knows."""


def stylise(picture: Pixels, style: str, *, seed: int = 0) -> Pixels:
    """The RGB picture in one of :data:`STYLES`, at the same size; paper, grain and strokes follow the seed.

    Raises ``ValueError`` for a style that is not in :data:`STYLES`.
    """
    hand = _HANDS.get(style)
    if hand is None:
        raise ValueError(f"no style {style!r}; there are {', '.join(STYLES)}")
    return hand(picture, generator("style", style, seed))
