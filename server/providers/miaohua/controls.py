"""ControlNets of Miaohua: which processors and settings belong to which type (contract: controlnet_processors)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.plan_defaults import check_control_settings

if TYPE_CHECKING:
    from atelier_mcp.server.requests.create import ControlNetUnit

PROCESSORS: dict[str, tuple[str, ...]] = {
    "canny": ("canny", "invert"),
    "lineart": ("lineart_realistic", "lineart_coarse", "lineart_standard", "invert"),
    "lineart_anime": ("lineart_anime", "lineart_anime_denoise"),
    "openpose": (
        "dw_openpose_full", "openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand",
    ),
    "tile": ("tile_colorfix", "tile_colorfix_sharp", "tile_resample"),
}  # fmt: skip
"""The one taken by default first. A type that is missing has no choice of processor."""
CANNY_LOW = 100
CANNY_HIGH = 200
TILE_RATE = 1.0


def plan_control(place: str, control: ControlNetUnit) -> ControlNetUnit:
    """The control with its processor chosen.

    Raises ``InvalidRequest`` for a processor or a setting that belongs to another type.
    """
    check_control_settings(place, control)
    available_names = PROCESSORS.get(control.type, ())
    requested_name = control.pre_processor
    if requested_name is None:
        return control.model_copy(update={"pre_processor": available_names[0] if available_names else None})
    if requested_name not in available_names:
        allowed = ", ".join(available_names) or "none"
        raise InvalidRequest(f"{place}.pre_processor: at Miaohua a {control.type} control takes {allowed}.")
    return control


def build_control_config(control: ControlNetUnit) -> dict[str, Any]:
    """The settings that only this type has; both thresholds are always said (contract: high_threshold_sample)."""
    config: dict[str, Any] = {"control_processor": control.pre_processor} if control.pre_processor else {}
    match control.type:
        case "canny":
            # Both, since the sample has one of them alone and no default is printed for the other.
            low, high = control.canny_low or CANNY_LOW, control.canny_high or CANNY_HIGH
            return config | {"low_threshold": low, "high_threshold": high}
        case "tile":
            return config | {"down_sample_rate": round(control.tile_rate or TILE_RATE, 2)}
        case _:
            return config
