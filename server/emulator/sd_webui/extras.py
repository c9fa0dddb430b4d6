"""Pictures made larger (contract: extra_single_image, extra_batch_images)."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.errors import WebuiFault, build_field_error, build_out_of_memory_fault
from atelier_mcp.server.emulator.sd_webui.models import UPSCALERS
from atelier_mcp.server.emulator.sd_webui.parameters import EXTRAS_FIELDS, REQUIRED, WebuiField, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

TO_SIZE: Final = 1
"""``resize_mode``: to a size, and not by a factor."""
MAX_SIDE_PX: Final = 8192
MAX_ENGINE_RATIO: Final = 3.0
SINGLE_FIELDS: Final = {**EXTRAS_FIELDS, "image": WebuiField("string", REQUIRED)}
BATCH_FIELDS: Final = {**EXTRAS_FIELDS, "imageList": WebuiField("array", REQUIRED)}


def build_rows() -> list[CallRow]:
    """Both calls."""
    return [
        ("POST", "/sdapi/v1/extra-single-image", enlarge_one),
        ("POST", "/sdapi/v1/extra-batch-images", enlarge_many),
    ]


async def enlarge_one(call: WebuiCall) -> dict[str, Any]:
    """One picture."""
    values = read_fields(call.body, SINGLE_FIELDS)
    (image,) = await _enlarge(call, values, [values["image"]])
    return {"html_info": "", "image": image if values["show_extras_results"] else None}


async def enlarge_many(call: WebuiCall) -> dict[str, Any]:
    """Several in the same way."""
    values = read_fields(call.body, BATCH_FIELDS)
    if not all(isinstance(entry, dict) and "data" in entry and "name" in entry for entry in values["imageList"]):
        raise build_field_error(["imageList", "0", "data"], "field required", "value_error.missing")
    images = await _enlarge(call, values, [entry["data"] for entry in values["imageList"]])
    return {"html_info": "", "images": images if values["show_extras_results"] else []}


async def _enlarge(call: WebuiCall, values: Mapping[str, Any], images: list[Any]) -> list[str]:
    """The results as base64, in order; it has no task of its own (extras.task)."""
    for name in ("upscaler_1", "upscaler_2"):
        if values[name] not in UPSCALERS:
            raise WebuiFault("AssertionError", f"could not find upscaler named {values[name]}")
    sources = [await call.read_image(image) for image in images]
    async with call.server.queue.run("", seconds=0, steps=0, clock=call.emulator.clock.now):
        results = [await _enlarge_image(call, values, source) for source in sources]
    return [base64.b64encode(result).decode() for result in results]


async def _enlarge_image(call: WebuiCall, values: Mapping[str, Any], source: bytes) -> bytes:
    if values["upscaler_1"] == "None":
        return await asyncio.to_thread(pixels.convert, source, "PNG")
    width, height = await asyncio.to_thread(pixels.get_size, source)
    ratio = values["upscaling_resize"]
    if values["resize_mode"] == TO_SIZE:
        ratio = max(values["upscaling_resize_w"] / width, values["upscaling_resize_h"] / height)
    if ratio * max(width, height) > MAX_SIDE_PX:
        raise build_out_of_memory_fault()
    enlarged = source
    if 1 < ratio <= MAX_ENGINE_RATIO:
        result = await call.emulator.run_engine(
            "upscale", image=source, ratio=ratio, seed=0, watermark=None, file_format="PNG"
        )
        enlarged = result.images[0][0]
    if values["resize_mode"] == TO_SIZE:
        size = values["upscaling_resize_w"], values["upscaling_resize_h"]
        return await asyncio.to_thread(pixels.fit, enlarged, *size, crops=values["upscaling_crop"])
    return await asyncio.to_thread(pixels.resize, enlarged, max(1, int(width * ratio)), max(1, int(height * ratio)))
