"""ControlNets of MHAPI: which pre-processors belong to which type (contract: enums.controlnet_types)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.mhapi.checks import NEARLY_ZERO
from atelier_mcp.server.providers.plan_defaults import check_control_settings
from atelier_mcp.server.providers.wire import drop_none

if TYPE_CHECKING:
    from atelier_mcp.server.requests.create import ControlNetUnit

PRE_PROCESSORS: dict[str, tuple[str, ...]] = {
    "canny": ("canny", "invert", "pass"),
    "openpose": ("openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand", "pass"),
    "lineart": ("lineart_standard", "lineart_coarse", "lineart_realistic", "pass"),
    "lineart_anime": ("lineart_anime", "lineart_anime_denoise", "pass"),
    "tile": ("tile_resample", "tile_colorfix", "tile_colorfix_sharp", "pass"),
    "ip_adapter_faceid": ("face_id_plus", "plus_vith", "face_id_plus_plus_vith"),
}
"""The recommended one first. The types that are missing take none (contract: imgenstd.imgen.preprocessor_pass)."""
TYPES_WITHOUT_DEFAULT = frozenset({"ip_adapter_faceid"})


def plan_control(place: str, control: ControlNetUnit) -> ControlNetUnit:
    """The control as it is sent: its pre-processor explicit.

    Raises ``InvalidRequest`` for a pre-processor or a setting that belongs to another type.
    """
    check_control_settings(place, control)
    changes: dict[str, Any] = {"pre_processor": _choose_pre_processor(place, control)}
    # Read as "not given", 0 would become the default, 1: the opposite (contract: shared.zero_values).
    if control.end == 0:
        changes["end"] = NEARLY_ZERO
    return control.model_copy(update=changes)


def build_control_body(control: ControlNetUnit, link: str) -> dict[str, Any]:
    """A planned control as it is sent, its image behind ``link``."""
    body = {
        "type": control.type,
        "img_url": link,
        "weight": control.weight,
        "pre_processor": control.pre_processor,
        "guidance_start": control.start,
        "guidance_end": control.end,
        "canny_low_threshold": control.canny_low,
        "canny_high_threshold": control.canny_high,
        "tile_down_sample_rate": control.tile_rate,
    }
    return drop_none(body)


def _choose_pre_processor(place: str, control: ControlNetUnit) -> str | None:
    available_names = PRE_PROCESSORS.get(control.type, ())
    requested_name = control.pre_processor
    # Always explicit: the default is lost in print (contract: imgenstd.imgen.preprocessor_default).
    if requested_name is None:
        return available_names[0] if available_names and control.type not in TYPES_WITHOUT_DEFAULT else None
    if requested_name in available_names:
        return requested_name
    # For these a ready-made control image is the only kind there is (contract: imgenstd.imgen.preprocessor_pass).
    if not available_names and requested_name == "pass":
        return None
    allowed = ", ".join(available_names) or "none"
    raise InvalidRequest(f"{place}.pre_processor: a {control.type} control takes {allowed}; not {requested_name!r}.")
