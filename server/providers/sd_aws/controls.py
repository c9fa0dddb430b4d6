"""ControlNet units: the file that belongs to a type of control, and the unit as the worker takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.plan_defaults import check_control_settings, format_model_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.requests.aws import ControlNetUnitOptions
    from atelier_mcp.server.requests.create import ControlNetUnit

PASS = "pass"  # noqa: S105  # a pre-processor that does nothing
TYPES_WITHOUT_FILE = frozenset({"reference_only"})
"""Types that are a pre-processor alone."""
MODULES = {
    "depth": "depth_midas",
    "lineart": "lineart_realistic",
    "normal": "normal_bae",
    "seg": "seg_ofade20k",
    "softedge": "softedge_pidinet",
    "scribble": "scribble_pidinet",
    "tile": "tile_resample",
    "ip_adapter_faceid": "ip-adapter_face_id",
    "ip2p": "none",
    "brightness": "none",
}
"""The worker's pre-processor where it is not called like the type."""


def plan_unit(
    place: str, control: ControlNetUnit, unit: ControlNetUnitOptions, files: Sequence[ListedModel] | None
) -> ControlNetUnitOptions:
    """The unit with its file chosen; ``files`` is None where the list cannot be read.

    Raises ``InvalidRequest`` for a type without a file, and for a setting of another type.
    """
    check_control_settings(place, control)
    if unit.model is not None or control.type in TYPES_WITHOUT_FILE:
        return unit
    if files is None:
        raise InvalidRequest(
            f"{place}: the list of ControlNet files cannot be read; name one in advanced.control_units."
        )
    # Where several files are for one type, the first of the list is taken.
    for file in files:
        if _is_file_for(control.type, file.id):
            return unit.model_copy(update={"model": file.id})
    raise InvalidRequest(
        f"{place}.type: no ControlNet file for {control.type}; there is {format_model_ids(files)}.",
        hint="Add one with aws_add_checkpoint, or name one in advanced.control_units.",
    )


def build_unit(control: ControlNetUnit, unit: ControlNetUnitOptions, image: str) -> dict[str, Any]:
    """One entry of ``alwayson_scripts.controlnet.args``."""
    module = control.pre_processor or MODULES.get(control.type, control.type)
    body: dict[str, Any] = {
        "enabled": True,
        "module": "none" if module == PASS else module,
        # The worker lists ControlNet files without their ending; "None" is its word for no file.
        "model": (unit.model or "None").rpartition(".")[0] or "None",
        "weight": control.weight,
        "image": image,
        "guidance_start": control.start,
        "guidance_end": control.end,
        # Else the detection map comes back as one more picture (contract: answered.detected_maps).
        "save_detected_map": False,
        # Last of the entries, so that what the caller says of a unit wins over all of the above.
        **unit.model_dump(mode="json", exclude_defaults=True, exclude={"model"}),
    }
    match control.type:
        # Both pre-processors read the same two fields: for canny they are edge thresholds, for tile a scaling factor.
        # `body` comes last here, too: thresholds of the unit win.
        case "canny":
            return {"threshold_a": control.canny_low or 100, "threshold_b": control.canny_high or 200} | body
        case "tile":
            return {"threshold_a": control.tile_rate or 1.0} | body
        case _:
            return body


def _is_file_for(kind: str, file: str) -> bool:
    """Whether a file is for a type, by its name: ``control_v11p_sd15_canny.pth`` is for canny."""
    name = file.lower().replace("-", "_")
    # "lineart" is a part of "lineart_anime", which is a type of its own.
    if kind == "lineart" and "lineart_anime" in name:
        return False
    return kind in name
