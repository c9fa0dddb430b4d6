"""ControlNet units: the file that belongs to a type of control, and the unit as the worker takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.choices import check_own_settings, some_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import Model
    from atelier_mcp.server.requests.aws import ControlUnit
    from atelier_mcp.server.requests.create import Control

PASS = "pass"  # noqa: S105  # a pre-processor that does nothing
NO_FILE = frozenset({"reference_only"})
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


def planned_unit(place: str, control: Control, unit: ControlUnit, files: Sequence[Model] | None) -> ControlUnit:
    """The unit with its file chosen; ``files`` is None where the list cannot be read.

    Raises ``InvalidRequest`` for a type without a file, and for a setting of another type.
    """
    check_own_settings(place, control)
    if unit.model is not None or control.type in NO_FILE:
        return unit
    if files is None:
        raise InvalidRequest(
            f"{place}: the list of ControlNet files cannot be read; name one in advanced.control_units."
        )
    for file in files:
        if _fits(control.type, file.id):
            return unit.model_copy(update={"model": file.id})
    raise InvalidRequest(
        f"{place}.type: no ControlNet file for {control.type}; there is {some_ids(files)}.",
        then="Add one with add_checkpoint, or name one in advanced.control_units.",
    )


def unit_of(control: Control, unit: ControlUnit, picture: str) -> dict[str, Any]:
    """One entry of ``alwayson_scripts.controlnet.args``."""
    module = control.pre_processor or MODULES.get(control.type, control.type)
    body: dict[str, Any] = {
        "enabled": True,
        "module": "none" if module == PASS else module,
        "model": (unit.model or "None").rpartition(".")[0] or "None",
        "weight": control.weight,
        "image": picture,
        "guidance_start": control.start,
        "guidance_end": control.end,
        **unit.model_dump(mode="json", exclude_defaults=True, exclude={"model"}),
    }
    match control.type:
        case "canny":
            return {"threshold_a": control.canny_low or 100, "threshold_b": control.canny_high or 200} | body
        case "tile":
            return {"threshold_a": control.tile_rate or 1.0} | body
        case _:
            return body


def _fits(kind: str, file: str) -> bool:
    """Whether a file is for a type, by its name: ``control_v11p_sd15_canny.pth`` is for canny."""
    name = file.lower().replace("-", "_")
    if kind == "lineart" and "lineart_anime" in name:
        return False
    return kind in name
