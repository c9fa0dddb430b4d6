"""What providers do alike when they fill in what a caller left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.placement import enlarge_to_minimum
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.finish_plan import Finish, Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.requests.create import ControlNetUnit, GenerateImage

# MHAPI's default and bounds (contract: imgenstd.imgen); those of Miaohua lie around them
# (contract: task_submit.size_range).
DEFAULT_SIDE_PX = 960
MIN_SIDE_PX = 640
MAX_SIDE_PX = 6000
MAX_LISTED_IDS = 8
SIDES_ABILITY = f"sides {MIN_SIDE_PX}-{MAX_SIDE_PX} px"
_CONTROL_TYPE_BY_SETTING = {"canny_low": "canny", "canny_high": "canny", "tile_rate": "tile"}


def choose_size(request: GenerateImage, source: ImageHeader | None) -> Size:
    """Width and height: the caller's, else by the aspect or the source's ratio, 960 on the short side."""
    if request.aspect:
        ratio = parse_aspect(request.aspect)
    elif request.image is not None and source is not None:
        ratio = source.width / source.height
    elif request.width and request.height:
        ratio = request.width / request.height
    else:  # of a picture from words alone, one side says nothing of the other
        return request.width or DEFAULT_SIDE_PX, request.height or DEFAULT_SIDE_PX
    size = complete_size(request.width, request.height, ratio)
    if size is not None:
        return size
    # A very wide source would pass the longest side there is: the short side gives way.
    scale = min(DEFAULT_SIDE_PX, MAX_SIDE_PX / max(ratio, 1 / ratio))
    # What nobody asked for need not be made of another size: a very long source is drawn a little shorter.
    width, height = (max(MIN_SIDE_PX, round(scale * side)) for side in (max(ratio, 1), max(1 / ratio, 1)))
    return width, height


def choose_sent_size(size: Size, *, min_side_px: int = MIN_SIDE_PX, max_side_px: int = MAX_SIDE_PX) -> Size:
    """The size a service is asked for where ``size`` is wanted: the same, or a larger one whose sides it can do.

    Raises ``InvalidRequest`` for a shape that is too long for it.
    """
    sent = enlarge_to_minimum(size, min_side_px)
    if max(sent) > max_side_px:
        raise InvalidRequest(
            f"width, height: {size[0]}x{size[1]} cannot be made; sides of {min_side_px} to {max_side_px} pixels can.",
            hint="Ask for a size between these, and crop or resize it with transform_image.",
        )
    return sent


def bring_to_size(sent: Size, size: Size) -> Finish | None:
    """What makes a picture of ``size`` of one of the ``sent`` size; None where they are the same."""
    return None if sent == size else Reframe(size=size)


def keep_size(source: ImageHeader, rule: ImageRule) -> Finish | None:
    """What gives the result the source's size where the source has to be enlarged for the service."""
    size = source.width, source.height
    return bring_to_size(rule.fit_size(size), size)


def refuse_unsupported_fields(request: Request, *, service: str, supported: Collection[str]) -> None:
    """Raise ``InvalidRequest`` naming what a request asks for beyond ``supported``; defaults ask for nothing.

    ``format`` and ``watermark`` pass: the operator's settings fill them in, and the caller may not have said a word.
    """
    names = [
        name
        for name, model_field in type(request).model_fields.items()
        if name not in {*supported, *request.output_fields}
        and getattr(request, name) != model_field.get_default(call_default_factory=True)
    ]
    if names:
        raise InvalidRequest(f"{', '.join(names)}: {service} does not have that.", hint="Leave it out.")


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
