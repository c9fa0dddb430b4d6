"""The routes of the ControlNet extension (contract: controlnet.version ff.)."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.controlnet_units import check_module
from atelier_mcp.server.emulator.sd_webui.errors import WebuiHttpError, build_route_error
from atelier_mcp.server.emulator.sd_webui.models import CONTROL_MODELS, CONTROL_MODULES, CONTROL_TYPES
from atelier_mcp.server.emulator.sd_webui.parameters import DETECT_FIELDS, read_fields

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

WITHOUT_VERSION: Final = frozenset({"forge", "reforge", "forge_classic"})
"""Where the extension is built in (variants)."""


def build_rows() -> list[CallRow]:
    """All of them."""
    return [
        ("GET", "/controlnet/version", get_version),
        ("GET", "/controlnet/model_list", list_models),
        ("GET", "/controlnet/module_list", list_modules),
        ("GET", "/controlnet/control_types", list_types),
        ("POST", "/controlnet/detect", detect),
    ]


async def get_version(call: WebuiCall) -> dict[str, Any]:
    """Of the extension, where it is one."""
    _require_extension(call)
    if call.switches.variant in WITHOUT_VERSION:
        raise build_route_error()
    return {"version": 2}


async def list_models(call: WebuiCall) -> dict[str, Any]:
    """Names with hashes."""
    _require_extension(call)
    return {"model_list": list(CONTROL_MODELS)}


async def list_modules(call: WebuiCall) -> dict[str, Any]:
    """The pre-processors; the extension also tells their sliders."""
    _require_extension(call)
    answer: dict[str, Any] = {"module_list": list(CONTROL_MODULES)}
    if call.switches.variant not in WITHOUT_VERSION:
        answer["module_detail"] = {name: {"model_free": False, "sliders": []} for name in CONTROL_MODULES}
    return answer


async def list_types(call: WebuiCall) -> dict[str, Any]:
    """What goes together."""
    _require_extension(call)
    everything = {
        "All": {
            "module_list": list(CONTROL_MODULES),
            "model_list": ["None", *CONTROL_MODELS],
            "default_option": "none",
            "default_model": "None",
        }
    }
    return {"control_types": everything | {title: _build_type(word) for title, word in CONTROL_TYPES.items()}}


async def detect(call: WebuiCall) -> dict[str, Any]:
    """A pre-processor's maps; it waits for nobody (detect.outside_queue, detect.field)."""
    _require_extension(call)
    values = read_fields(call.body, DETECT_FIELDS)
    check_module(values["controlnet_module"])
    sources = [*values["controlnet_input_images"], *values["controlnet_images"]]
    if not sources:
        raise WebuiHttpError(422, "No image selected")
    images = [await call.read_image(source) for source in sources]
    maps = [await asyncio.to_thread(pixels.detect_edges, image) for image in images]
    return {"images": [base64.b64encode(image).decode() for image in maps], "info": "Success"}


def _build_type(word: str) -> dict[str, Any]:
    modules = ["none", *(module for module in CONTROL_MODULES if word in module)]
    control_models = ["None", *(model for model in CONTROL_MODELS if word in model)]
    return {
        "module_list": modules,
        "model_list": control_models,
        "default_option": modules[-1] if len(modules) == 1 else modules[1],
        "default_model": control_models[min(1, len(control_models) - 1)],
    }


def _require_extension(call: WebuiCall) -> None:
    if not call.switches.has_controlnet or call.switches.variant in ("sdnext", "sdcpp"):
        raise build_route_error()
