"""The units of the ControlNet extension as the engine takes them (contract: txt2img)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_webui.errors import WebuiFault, WebuiHttpError
from atelier_mcp.server.emulator.sd_webui.models import CONTROL_MODELS, CONTROL_MODULES
from atelier_mcp.server.emulator.sd_webui.parameters import UNIT_FIELDS, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_webui.calls import WebuiCall

NONE: Final = "none"
RESIZE_MODES: Final = ("Just Resize", "Crop and Resize", "Resize and Fill")
CONTROL_MODES: Final = ("Balanced", "My prompt is more important", "ControlNet is more important")
KINDS: Final = (
    # In this order: the first that is found decides, and "lineart" is a part of "lineart_anime".
    "lineart_anime", "lineart", "canny", "depth", "openpose", "mlsd", "normal", "softedge", "scribble", "seg",
    "shuffle", "tile", "ip2p", "reference_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WebuiControlUnit:
    """One unit that is switched on."""

    engine_control: Mapping[str, Any] | None
    """None for a unit that the engine knows nothing of."""
    image: bytes
    sends_map: bool


async def read_units(call: WebuiCall, scripts: Mapping[str, Any]) -> tuple[WebuiControlUnit, ...]:
    """The units among the arguments of the extensions, whose titles may be written in any case."""
    found: dict[str, Any] = (
        next((value for title, value in scripts.items() if title.lower() == "controlnet"), None) or {}
    )
    arguments: list[Any] = found.get("args") or []
    units = [cast("dict[str, Any]", unit) for unit in arguments if isinstance(unit, dict)]
    is_on_by_default = call.switches.variant == "forge"
    return tuple(
        [
            await _read_unit(call, unit)
            for unit in units
            if unit.get("enabled", is_on_by_default) and (unit.get("image") or unit.get("input_image"))
        ]
    )


def check_module(name: str) -> str:
    """The module of that name, whose case does not matter; raises WebuiHttpError for one there is not."""
    if name.lower() not in CONTROL_MODULES:
        raise WebuiHttpError(422, "Module not available")
    return name.lower()


async def _read_unit(call: WebuiCall, unit: Mapping[str, Any]) -> WebuiControlUnit:
    values = read_fields(unit, UNIT_FIELDS)
    module, model = check_module(values["module"]), values["model"]
    if values["resize_mode"] not in RESIZE_MODES or values["control_mode"] not in CONTROL_MODES:
        raise WebuiHttpError(422, "Invalid unit: give resize_mode and control_mode in words")
    if model != "None" and not any(model in (name, name.partition(" [")[0]) for name in CONTROL_MODELS):
        raise WebuiFault("RuntimeError", f"model not found: {model}")
    image = await call.read_image(_get_image(unit.get("image") or unit.get("input_image")))
    text = f"{module} {model}".lower().replace("-", "_")
    kind = next((kind for kind in KINDS if kind in text), None)
    control = None if kind is None else _build_control(kind, module, values, image)
    return WebuiControlUnit(control, image, sends_map=values["save_detected_map"] and module != NONE)


def _get_image(value: Any) -> Any:
    """A picture stands by itself, or in an object beside its mask."""
    return cast("dict[str, Any]", value).get("image") if isinstance(value, dict) else value


def _build_control(kind: str, module: str, values: Mapping[str, Any], image: bytes) -> dict[str, Any]:
    low, high = values["threshold_a"], values["threshold_b"]
    return {
        "kind": kind,
        "image": image,
        "weight": values["weight"],
        "pre_processor": "pass" if module == NONE else None,
        "start": values["guidance_start"],
        "end": values["guidance_end"],
        # -1 is the extension's word for its own default.
        "low": int(low) if kind == "canny" and 1 <= low <= 255 else 100,
        "high": int(high) if kind == "canny" and 1 <= high <= 255 else 200,
        "down_sample": low if kind == "tile" and 1 <= low <= 8 else 1,
    }
