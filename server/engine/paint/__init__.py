"""Text to image without a model: paint procedurally what a parsed prompt names.

From the outside in: `renderer` paints a whole image or one element; `scene` decides the kind of picture and composes
it; `outdoors`, `space`, `underwater`, `portrait`, `still_life`, `abstract` and `surfaces` paint those kinds;
`subjects` is the table of things with a painter each (`animals`, `buildings`, `vegetation`, ...). They paint on a
`canvas.Canvas` by what a `stage.Stage` tells them: the light (`colour.Mood`), the horizon, where the sun is.

Landscapes, still lifes and cities look pleasant; people and animals are plainly modelled drawings. What the vocabulary
lacks is not drawn.
"""

from __future__ import annotations

from atelier_mcp.server.engine.paint.abstract import make_swatches
from atelier_mcp.server.engine.paint.renderer import (
    build_palette,
    find_main_subject,
    has_own_light,
    names_anything,
    paint,
    paint_element,
    paint_in_pose,
)

__all__ = [
    "build_palette",
    "find_main_subject",
    "has_own_light",
    "make_swatches",
    "names_anything",
    "paint",
    "paint_element",
    "paint_in_pose",
]
