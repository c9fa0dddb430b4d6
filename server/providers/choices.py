"""What providers do alike when they fill in what a caller left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.base import Model
    from atelier_mcp.server.requests.create import Control, GenerateImage

USUAL_SIDE_PX = 960
LEAST_SIDE_PX = 640
MOST_SIDE_PX = 6000
NAMED = 8
_OWN_SETTINGS = {"canny_low": "canny", "canny_high": "canny", "tile_rate": "tile"}


def target_size(request: GenerateImage, source: Header | None) -> tuple[int, int]:
    """Width and height: the caller's, else the source's ratio at 960 on the short side, else 960 x 960."""
    if request.width and request.height:
        return request.width, request.height
    ratio = source.width / source.height if request.image is not None and source is not None else 1.0
    if request.width:
        return request.width, _side(request.width / ratio) if source else USUAL_SIDE_PX
    if request.height:
        return _side(request.height * ratio) if source else USUAL_SIDE_PX, request.height
    scale = min(USUAL_SIDE_PX, MOST_SIDE_PX / max(ratio, 1 / ratio))
    return _side(scale * max(ratio, 1)), _side(scale * max(1 / ratio, 1))


def some_ids(models: Sequence[Model]) -> str:
    """The first few ids for an error's reader: ``a, b and 3 more``."""
    ids = [model.id for model in models[:NAMED]]
    more = len(models) - len(ids)
    return (", ".join(ids) + (f" and {more} more" if more > 0 else "")) or "nothing"


def check_own_settings(place: str, control: Control) -> None:
    """Raise ``InvalidRequest`` for a setting that another type of control has."""
    for name, owner in _OWN_SETTINGS.items():
        if getattr(control, name) is not None and control.type != owner:
            raise InvalidRequest(f"{place}.{name}: only a {owner} control has it, this one is {control.type}.")


def _side(pixels: float) -> int:
    return min(MOST_SIDE_PX, max(LEAST_SIDE_PX, round(pixels)))
