"""ControlNets of MHAPI: which pre-processors belong to which type (contract: enums.controlnet_types)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.choices import check_own_settings
from atelier_mcp.server.providers.mhapi.checks import NEARLY_ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import Model
    from atelier_mcp.server.requests.create import Control

PRE_PROCESSORS: dict[str, tuple[str, ...]] = {
    "canny": ("canny", "invert", "pass"),
    "openpose": ("openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand", "pass"),
    "lineart": ("lineart_standard", "lineart_coarse", "lineart_realistic", "pass"),
    "lineart_anime": ("lineart_anime", "lineart_anime_denoise", "pass"),
    "tile": ("tile_resample", "tile_colorfix", "tile_colorfix_sharp", "pass"),
    "ip_adapter_faceid": ("face_id_plus", "plus_vith", "face_id_plus_plus_vith"),
}
"""The recommended one first. The types that are missing take none (contract: imgenstd.imgen.preprocessor_pass)."""
NO_DEFAULT = frozenset({"ip_adapter_faceid"})


def planned_control(place: str, control: Control) -> Control:
    """The control as it is sent: its pre-processor explicit.

    Raises ``InvalidRequest`` for a pre-processor or a setting that belongs to another type.
    """
    check_own_settings(place, control)
    changes: dict[str, Any] = {"pre_processor": _pre_processor(place, control)}
    if control.end == 0:
        changes["end"] = NEARLY_ZERO
    return control.model_copy(update=changes)


def check_offered(controls: Sequence[Control], model: str, offered: Sequence[Model]) -> None:
    """Raise ``InvalidRequest`` for a type that the checkpoint does not list."""
    names = [entry.id for entry in offered]
    for index, control in enumerate(controls):
        if control.type not in names:
            there_is = ", ".join(names) or "none"
            raise InvalidRequest(f"controls[{index}].type: {model} has no {control.type} control; there is {there_is}.")


def _pre_processor(place: str, control: Control) -> str | None:
    known = PRE_PROCESSORS.get(control.type, ())
    wanted = control.pre_processor
    if wanted is None:
        return known[0] if known and control.type not in NO_DEFAULT else None
    if wanted in known:
        return wanted
    if not known and wanted == "pass":
        return None
    allowed = ", ".join(known) or "none"
    raise InvalidRequest(f"{place}.pre_processor: a {control.type} control takes {allowed}; not {wanted!r}.")
