"""Two extensions: backgrounds taken away, and faces swapped (contract: rembg, reactor.image)."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.errors import WebuiFault, build_route_error
from atelier_mcp.server.emulator.sd_webui.models import CUT_OUT_MODELS, SWAP_MODELS, UPSCALERS
from atelier_mcp.server.emulator.sd_webui.parameters import REACTOR_FIELDS, REMBG_FIELDS, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

NO_MODELS: Final = ("", "None")


def build_rows() -> list[CallRow]:
    """All of them."""
    return [
        ("POST", "/rembg", remove_background),
        ("POST", "/reactor/image", swap_faces),
        ("GET", "/reactor/models", list_swap_models),
        ("GET", "/reactor/upscalers", list_upscalers),
        ("GET", "/reactor/facemodels", list_face_models),
    ]


async def remove_background(call: WebuiCall) -> dict[str, Any] | None:
    """The subject on a transparent ground, or its mask, white on the subject."""
    if not call.switches.has_rembg:
        raise build_route_error()
    values = read_fields(call.body, REMBG_FIELDS)
    if values["model"] in NO_MODELS or not values["input_image"]:
        return None
    if values["model"] not in CUT_OUT_MODELS:
        raise WebuiFault("ValueError", f"No session class found for model '{values['model']}'")
    source = await call.read_image(values["input_image"])
    result = await call.emulator.run_engine("segment", image=source, seed=0, file_format="PNG")
    image: bytes = result.images[0][0]
    if values["return_mask"]:
        image = await asyncio.to_thread(pixels.extract_alpha, image)
    return {"image": base64.b64encode(image).decode()}


async def swap_faces(call: WebuiCall) -> dict[str, Any]:
    """The target with faces of the source; without a face it comes back as it was (reactor.no_face)."""
    _require_reactor(call)
    values = read_fields(call.body, REACTOR_FIELDS)
    source = await call.read_image(values["source_image"])
    target = await call.read_image(values["target_image"])
    image = await _swap(call, values, source, target)
    return {"image": base64.b64encode(await asyncio.to_thread(pixels.convert, image, "PNG")).decode()}


async def list_swap_models(call: WebuiCall) -> dict[str, Any]:
    """Models of the swap."""
    _require_reactor(call)
    return {"models": list(SWAP_MODELS)}


async def list_upscalers(call: WebuiCall) -> dict[str, Any]:
    """As everywhere."""
    _require_reactor(call)
    return {"upscalers": list(UPSCALERS)}


async def list_face_models(call: WebuiCall) -> dict[str, Any]:
    """Faces that were stored: none."""
    _require_reactor(call)
    return {"facemodels": ["None"]}


async def _swap(call: WebuiCall, values: Mapping[str, Any], source: bytes, target: bytes) -> bytes:
    pairs = [
        {"image": source, "index": source_index, "base_index": target_index}
        for source_index, target_index in zip(
            cast("list[int]", values["source_faces_index"]), cast("list[int]", values["face_index"]), strict=False
        )
    ]
    try:
        result = await call.emulator.run_engine(
            "swap", base=target, pairs=pairs, kind="normal", seed=0, watermark=None, file_format="PNG"
        )
    except ValueError:
        return target
    return result.images[0][0]


def _require_reactor(call: WebuiCall) -> None:
    if not call.switches.has_reactor:
        raise build_route_error()
