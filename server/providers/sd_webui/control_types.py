"""Our types of control in the words of the ControlNet extension: which model and pre-processor serve each.

The extension says by type what goes together (contract: controlnet.control_types); what it does not group is found by
the names of its files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ListedModel
from atelier_mcp.server.providers.plan_defaults import check_control_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_webui.advanced import SdWebuiUnitOptions
    from atelier_mcp.server.requests.create import ControlNetUnit

PASS: Final = "pass"  # noqa: S105  # a pre-processor that does nothing
NONE: Final = "none"
NO_MODEL: Final = "None"
MODEL_FREE_TYPES: Final = frozenset({"reference_only"})
"""A pre-processor alone."""
TITLES: Final = {
    "canny": "Canny", "depth": "Depth", "ip2p": "InstructP2P", "lineart": "Lineart", "lineart_anime": "Lineart",
    "mlsd": "MLSD", "normal": "NormalMap", "openpose": "OpenPose", "scribble": "Scribble", "shuffle": "Shuffle",
    "softedge": "SoftEdge", "tile": "Tile", "seg": "Segmentation", "reference_only": "Reference",
    "ip_adapter_faceid": "IP-Adapter", "brightness": "",
}  # fmt: skip
"""Each of our types with the extension's name for it; empty where it has no group of its own."""


def list_control_types(documents: Mapping[str, Any]) -> tuple[ListedModel, ...]:
    """The types that there is a model for, each with its model."""
    found = ((name, find_control_model(name, documents)) for name in TITLES)
    return tuple(
        ListedModel(name, "controlnet", description="" if model == NO_MODEL else model)
        for name, model in found
        if model is not None and (model != NO_MODEL or documents)
    )


def find_control_model(name: str, documents: Mapping[str, Any]) -> str | None:
    """The model for a type; ``NO_MODEL`` for a type that needs none, None where there is none."""
    if name in MODEL_FREE_TYPES:
        return NO_MODEL if _get_list(documents, "module_list").count(name) else None
    candidates = [model for model in _get_list(documents, "model_list") if _is_model_for(name, model)]
    default = str(_get_group(name, documents).get("default_model") or NO_MODEL)
    if default != NO_MODEL and (not candidates or default in candidates) and name != "lineart_anime":
        return default
    return candidates[0] if candidates else None


def plan_unit(
    place: str, control: ControlNetUnit, unit: SdWebuiUnitOptions, documents: Mapping[str, Any]
) -> SdWebuiUnitOptions:
    """The unit with its model chosen. Raises ``InvalidRequest`` for what this server has not."""
    check_control_settings(place, control)
    modules = _get_list(documents, "module_list")
    if control.pre_processor not in (None, PASS) and control.pre_processor not in modules:
        raise InvalidRequest(
            f"{place}.pre_processor: the WebUI has no {control.pre_processor!r}; there is {', '.join(modules[:20])}."
        )
    if unit.model is not None:
        return unit
    model = find_control_model(control.type, documents)
    if model is None:
        there_is = ", ".join(entry.id for entry in list_control_types(documents)) or "none"
        raise InvalidRequest(f"{place}.type: the WebUI has no model for {control.type}; there is {there_is}.")
    return unit.model_copy(update={"model": model})


def choose_module(control: ControlNetUnit, documents: Mapping[str, Any]) -> str:
    """The pre-processor: the caller's, the one named like the type, or the one that the extension takes for it."""
    if control.pre_processor is not None:
        return NONE if control.pre_processor == PASS else control.pre_processor
    if control.type in _get_list(documents, "module_list"):
        return control.type
    return str(_get_group(control.type, documents).get("default_option") or NONE)


def build_unit(
    control: ControlNetUnit, unit: SdWebuiUnitOptions, image: str, documents: Mapping[str, Any]
) -> dict[str, Any]:
    """One entry of ``alwayson_scripts.controlnet.args``; what is not said is left to the extension.

    ``enabled`` is always sent, for its default differs (contract: txt2img).
    """
    body: dict[str, Any] = {
        "enabled": True,
        "module": choose_module(control, documents),
        "model": unit.model or NO_MODEL,
        "weight": control.weight,
        "image": image,
        "guidance_start": control.start,
        "guidance_end": control.end,
        # Else the map comes back as one more picture (contract: txt2img.extra_images).
        "save_detected_map": False,
        # Without a size of its own the pre-processor would work at 512 pixels.
        "pixel_perfect": unit.processor_res is None,
    }
    if control.type == "canny":
        body |= {"threshold_a": control.canny_low or 100, "threshold_b": control.canny_high or 200}
    if control.type == "tile" and control.tile_rate is not None:
        body["threshold_a"] = control.tile_rate
    return body | unit.model_dump(mode="json", exclude_defaults=True, exclude={"model"})


def _is_model_for(name: str, model: str) -> bool:
    """Whether a file is for a type, by its name: ``control_v11p_sd15_canny [d14c016b]`` is for canny."""
    text = model.lower().replace("-", "_")
    # "lineart" is a part of "lineart_anime", which is a type of its own.
    return name in text and not (name == "lineart" and "lineart_anime" in text)


def _get_group(name: str, documents: Mapping[str, Any]) -> Mapping[str, Any]:
    groups = documents.get("control_types")
    group = cast("dict[str, Any]", groups).get(TITLES[name]) if isinstance(groups, dict) else None
    return cast("dict[str, Any]", group) if isinstance(group, dict) else {}


def _get_list(documents: Mapping[str, Any], name: str) -> list[str]:
    value = documents.get(name)
    return [str(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []
