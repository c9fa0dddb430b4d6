"""Which net reads a guide picture, and whether ComfyUI itself can make the map that it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.comfyui.model_list import LOADERS
from atelier_mcp.server.providers.comfyui.node_list import format_names
from atelier_mcp.server.providers.comfyui.templates import MAP_NODE, ControlGuide
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
_EXTENSION: Final = "comfyui_controlnet_aux"
_USUAL_PREPROCESSORS: Final[Mapping[str, tuple[str, ...]]] = {
    "canny": ("CannyEdgePreprocessor",),
    "depth": ("DepthAnythingV2Preprocessor", "DepthAnythingPreprocessor", "Zoe-DepthMapPreprocessor",
              "MiDaS-DepthMapPreprocessor"),
    "lineart": ("LineArtPreprocessor", "LineartStandardPreprocessor"),
    "lineart_anime": ("AnimeLineArtPreprocessor", "Manga2Anime_LineArt_Preprocessor"),
    "mlsd": ("M-LSDPreprocessor",),
    "normal": ("BAE-NormalMapPreprocessor", "MiDaS-NormalMapPreprocessor"),
    "openpose": ("DWPreprocessor", "OpenposePreprocessor"),
    "scribble": ("ScribblePreprocessor", "FakeScribblePreprocessor", "Scribble_XDoG_Preprocessor"),
    "seg": ("OneFormer-COCO-SemSegPreprocessor", "OneFormer-ADE20K-SemSegPreprocessor", "UniFormer-SemSegPreprocessor"),
    "shuffle": ("ShufflePreprocessor",),
    "softedge": ("PiDiNetPreprocessor", "HEDPreprocessor"),
    "tile": ("TilePreprocessor",),
}  # fmt: skip
"""Of each type, the best first (contract: nodes.aux)."""


async def choose_guides(
    server: ComfyuiServer, controls: Sequence[ControlNetUnit], images: Mapping[str, UploadedImage]
) -> list[ControlGuide]:
    """The guides of a request; ``images`` are its pictures at ComfyUI, by place, once they are there.

    Raises ``InvalidRequest`` for a control that the server has no file for, or whose map it cannot make.
    """
    if not controls:
        return []
    nets = await server.nodes.list_choices(*LOADERS["controlnet"], refresh=False)
    names = await server.nodes.list_choices(MAP_NODE, "preprocessor")
    preprocessors = [name for name in names if name != "none"]
    return [_choose_guide(index, control, nets, preprocessors, images) for index, control in enumerate(controls)]


def _choose_guide(
    index: int,
    control: ControlNetUnit,
    nets: Sequence[str],
    preprocessors: Sequence[str],
    images: Mapping[str, UploadedImage],
) -> ControlGuide:
    place = format_place("controls", index)
    image = images.get(format_place("controls", index, "image"))
    check_control_settings(place, control)
    if control.tile_rate is not None:
        raise InvalidRequest(f"{place}.tile_rate: ComfyUI does not have that.", hint="Leave it out.")
    canny = _choose_thresholds(control)
    return ControlGuide(
        net=_choose_net(place, control.type, nets),
        image=image.name if image is not None else "",
        weight=control.weight,
        start=control.start,
        end=control.end,
        canny=canny,
        preprocessor=None if canny else _choose_preprocessor(place, control, preprocessors),
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


def _choose_thresholds(control: ControlNetUnit) -> tuple[int, int] | None:
    """Those of ComfyUI's own node where it is to find the edges."""
    if control.type != EDGES or control.pre_processor not in (None, EDGES):
        return None
    low, high = _CANNY_THRESHOLDS
    return control.canny_low or low, control.canny_high or high


def _choose_preprocessor(place: str, control: ControlNetUnit, there: Sequence[str]) -> str | None:
    """What of an extension makes the map, named or usual for the type; None for a picture that is read as it is."""
    wanted = control.pre_processor
    if wanted == READY_MAP or (wanted is None and control.type in _READ_AS_THEY_ARE):
        return None
    is_usual = wanted in (None, control.type)
    usual = _USUAL_PREPROCESSORS.get(control.type, ()) if is_usual else (wanted,)
    for name in usual:
        if (found := next((one for one in there if _simplify(one) == _simplify(name or "")), None)) is not None:
            return found
    what = f"a {control.type} map of a picture" if is_usual else wanted
    lack = f"its {MAP_NODE} has {format_names(there)}" if there else f"it lacks {MAP_NODE} of {_EXTENSION}"
    raise InvalidRequest(
        f"{place}.pre_processor: this ComfyUI cannot make {what}: {lack}.",
        hint=f'{"Give" if there else "Install that, or give"} the map itself and pre_processor="{READY_MAP}", '
        "or use a workflow of your own.",
    )


def _simplify(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())
