"""Which net reads a guide picture, and whether ComfyUI itself can make the map that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.comfyui.model_list import LOADERS
from atelier_mcp.server.providers.comfyui.node_list import format_names
from atelier_mcp.server.providers.comfyui.templates import ControlGuide
from atelier_mcp.server.providers.plan_defaults import check_control_settings
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.comfyui.server import ComfyuiServer
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage
    from atelier_mcp.server.requests.create import ControlNetUnit

READY_MAP: Final = "pass"
EDGES: Final = "canny"
_READ_AS_THEY_ARE: Final = frozenset({"tile", "ip2p", "brightness", "shuffle"})
_CANNY_THRESHOLDS: Final = (100, 200)


async def choose_guides(
    server: ComfyuiServer, controls: Sequence[ControlNetUnit], images: Mapping[str, UploadedImage]
) -> list[ControlGuide]:
    """The guides of a request; ``images`` are its pictures at ComfyUI, by place, once they are there.

    Raises ``InvalidRequest`` for a control that the server has no file for, or whose map it cannot make.
    """
    nets = await server.nodes.list_choices(*LOADERS["controlnet"], refresh=False) if controls else ()
    return [_choose_guide(index, control, nets, images) for index, control in enumerate(controls)]


def _choose_guide(
    index: int, control: ControlNetUnit, nets: Sequence[str], images: Mapping[str, UploadedImage]
) -> ControlGuide:
    place = format_place("controls", index)
    image = images.get(format_place("controls", index, "image"))
    check_control_settings(place, control)
    if control.tile_rate is not None:
        raise InvalidRequest(f"{place}.tile_rate: ComfyUI does not have that.", hint="Leave it out.")
    return ControlGuide(
        net=_choose_net(place, control.type, nets),
        image=image.name if image is not None else "",
        weight=control.weight,
        start=control.start,
        end=control.end,
        canny=_choose_edges(place, control),
    )


def _choose_net(place: str, control_type: str, nets: Sequence[str]) -> str:
    """The first file with the type's word in its name, however that is written."""
    word = _simplify(control_type)
    matches = [net for net in nets if word in _simplify(net)]
    if control_type == "lineart":
        matches = [net for net in matches if "anime" not in net.lower()] or matches
    if not matches:
        raise InvalidRequest(
            f"{place}.type: ComfyUI has no ControlNet for {control_type}; it has {format_names(nets)}."
        )
    return matches[0]


def _choose_edges(place: str, control: ControlNetUnit) -> tuple[int, int] | None:
    """Thresholds where ComfyUI's own node is to find the edges; None for a picture that is read as it is."""
    if control.pre_processor == READY_MAP or (control.pre_processor is None and control.type in _READ_AS_THEY_ARE):
        return None
    if control.type == EDGES and control.pre_processor in (None, EDGES):
        low, high = _CANNY_THRESHOLDS
        return control.canny_low or low, control.canny_high or high
    raise InvalidRequest(
        f"{place}.pre_processor: ComfyUI's own nodes make no {control.type} map of a picture.",
        hint=f'Give the map itself and pre_processor="{READY_MAP}", or use a workflow of your own.',
    )


def _simplify(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())
