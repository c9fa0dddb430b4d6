"""What providers do alike when they fill in what a caller left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.requests.create import ControlNetUnit, GenerateImage

DEFAULT_SIDE_PX = 960
MIN_SIDE_PX = 640
MAX_SIDE_PX = 6000
MAX_LISTED_IDS = 8
_CONTROL_TYPE_BY_SETTING = {"canny_low": "canny", "canny_high": "canny", "tile_rate": "tile"}


def choose_size(request: GenerateImage, source: ImageHeader | None) -> tuple[int, int]:
    """Width and height: the caller's, else the source's ratio at 960 on the short side, else 960 x 960."""
    if request.width and request.height:
        return request.width, request.height
    ratio = source.width / source.height if request.image is not None and source is not None else 1.0
    if request.width:
        return request.width, _clamp_side(request.width / ratio) if source else DEFAULT_SIDE_PX
    if request.height:
        return _clamp_side(request.height * ratio) if source else DEFAULT_SIDE_PX, request.height
    # A very wide source would pass the longest side there is: the short side gives way.
    scale = min(DEFAULT_SIDE_PX, MAX_SIDE_PX / max(ratio, 1 / ratio))
    return _clamp_side(scale * max(ratio, 1)), _clamp_side(scale * max(1 / ratio, 1))


def format_model_ids(models: Sequence[ListedModel]) -> str:
    """The first few ids for an error's reader: ``a, b and 3 more``."""
    ids = [model.id for model in models[:MAX_LISTED_IDS]]
    hidden_count = len(models) - len(ids)
    return (", ".join(ids) + (f" and {hidden_count} more" if hidden_count > 0 else "")) or "nothing"


def check_control_settings(place: str, control: ControlNetUnit) -> None:
    """Raise ``InvalidRequest`` for a setting that another type of control has."""
    for name, control_type in _CONTROL_TYPE_BY_SETTING.items():
        if getattr(control, name) is not None and control.type != control_type:
            raise InvalidRequest(f"{place}.{name}: only a {control_type} control has it, this one is {control.type}.")


def check_control_types(
    controls: Sequence[ControlNetUnit], model: str, available_controls: Sequence[ListedModel]
) -> None:
    """Raise ``InvalidRequest`` for a type of control that ``model`` does not list."""
    names = [entry.id for entry in available_controls]
    for index, control in enumerate(controls):
        if control.type not in names:
            there_is = ", ".join(names) or "none"
            raise InvalidRequest(f"controls[{index}].type: {model} has no {control.type} control; there is {there_is}.")


def build_uniform_rules(request: Request, rule: ImageRule) -> dict[str, ImageRule]:
    """The same rule for every image of a request, by place."""
    return {place: rule for place, _ in request.list_image_references()}


def format_choices(request: GenerateImage, planned: GenerateImage) -> str:
    """What was chosen for the caller: ``model artist_v0.4.0, 50 steps, guidance 7, 960x960``; empty for nothing."""
    choices = [
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None and planned.steps else "",
        f"guidance {planned.guidance:g}" if request.guidance is None and planned.guidance else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    return ", ".join(choice for choice in choices if choice)


def _clamp_side(pixels: float) -> int:
    return min(MAX_SIDE_PX, max(MIN_SIDE_PX, round(pixels)))
