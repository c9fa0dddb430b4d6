"""Style filters: a picture redrawn in one of ten hands, at the same size."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.pixels import make_rng
from atelier_mcp.server.engine.style.drawings import apply_colour_pencil, apply_pencil
from atelier_mcp.server.engine.style.paintings import apply_ink, apply_oil, apply_watercolour
from atelier_mcp.server.engine.style.prints import apply_comic, apply_duotone, apply_pixel, apply_poster, apply_vintage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from atelier_mcp.server.engine.pixels import Pixels

_STYLE_FUNCTIONS: Final[Mapping[str, Callable[[Pixels, np.random.Generator], Pixels]]] = MappingProxyType(
    {
        "oil": apply_oil,
        "watercolour": apply_watercolour,
        "pencil": apply_pencil,
        "colour_pencil": apply_colour_pencil,
        "ink": apply_ink,
        "pixel": apply_pixel,
        "poster": apply_poster,
        "comic": apply_comic,
        "duotone": apply_duotone,
        "vintage": apply_vintage,
    }
)

STYLES: Final[tuple[str, ...]] = tuple(_STYLE_FUNCTIONS)
"""The names :func:`stylise` knows."""


def stylise(image: Pixels, style: str, *, seed: int = 0) -> Pixels:
    """The RGB picture in one of :data:`STYLES`, at the same size; paper, grain and strokes follow the seed.

    Raises ``ValueError`` for a style that is not in :data:`STYLES`.
    """
    apply_style = _STYLE_FUNCTIONS.get(style)
    if apply_style is None:
        raise ValueError(f"no style {style!r}; there are {', '.join(STYLES)}")
    return apply_style(image, make_rng("style", style, seed))
