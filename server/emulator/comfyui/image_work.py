"""What nodes do with pictures that are there: load, scale, lay on each other, enlarge and save them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.comfyui import raster
from atelier_mcp.server.emulator.comfyui.models import PREPROCESSORS, UPSCALE_FACTORS
from atelier_mcp.server.emulator.comfyui.node_context import PNG
from atelier_mcp.server.emulator.comfyui.values import ImagesValue, LatentValue, NodeResult, SavedFile

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.node_context import NodeContext


async def decode(_: NodeContext, *, samples: LatentValue, **_inputs: Any) -> NodeResult:
    """VAEDecode: the pictures of a latent."""
    if not samples.frames:
        raise ValueError("an empty latent has no picture to decode")
    return NodeResult((ImagesValue(samples.frames),))


async def load_image(context: NodeContext, *, image: str) -> NodeResult:
    """LoadImage: an uploaded picture, and its transparency as a mask."""
    data = await asyncio.to_thread(context.files.read_input, image)
    frame, mask = await asyncio.to_thread(raster.load, data)
    return NodeResult((ImagesValue((frame,)), mask))


async def load_mask(context: NodeContext, *, image: str, channel: str) -> NodeResult:
    """LoadImageMask: one channel of an uploaded picture as a mask."""
    data = await asyncio.to_thread(context.files.read_input, image)
    return NodeResult((await asyncio.to_thread(raster.load_channel, data, channel),))


async def invert_mask(_: NodeContext, *, mask: bytes) -> NodeResult:
    """InvertMask: marked and unmarked exchanged."""
    return NodeResult((await asyncio.to_thread(raster.invert, mask),))


async def invert_images(_: NodeContext, *, image: ImagesValue) -> NodeResult:
    """ImageInvert: each tone replaced by its opposite."""
    return NodeResult((ImagesValue(tuple([await asyncio.to_thread(raster.invert, one) for one in image.frames])),))


async def scale(
    _: NodeContext, *, image: ImagesValue, upscale_method: str, width: int, height: int, crop: str
) -> NodeResult:
    """ImageScale: brought to a size in pixels."""
    frames = [
        await asyncio.to_thread(raster.scale, one, int(width), int(height), upscale_method, crop)
        for one in image.frames
    ]
    return NodeResult((ImagesValue(tuple(frames)),))


async def scale_by(context: NodeContext, *, image: ImagesValue, upscale_method: str, scale_by: float) -> NodeResult:
    """ImageScaleBy: both sides times a factor."""
    width, height = await asyncio.to_thread(raster.measure, image.frames[0])
    size = {"width": round(width * float(scale_by)), "height": round(height * float(scale_by))}
    return await scale(context, image=image, upscale_method=upscale_method, crop="disabled", **size)


async def composite(
    _: NodeContext,
    *,
    destination: ImagesValue,
    source: ImagesValue,
    x: int,
    y: int,
    resize_source: bool,
    mask: bytes | None = None,
) -> NodeResult:
    """ImageCompositeMasked: one picture laid onto another, where the mask is set if there is one."""
    frames = [
        await asyncio.to_thread(
            raster.composite, destination.frames[0], one, mask, int(x), int(y), resize=bool(resize_source)
        )
        for one in source.frames
    ]
    return NodeResult((ImagesValue(tuple(frames)),))


async def find_edges(_: NodeContext, *, image: ImagesValue, **_inputs: Any) -> NodeResult:
    """Canny: the same picture, remembered as edges."""
    return NodeResult((replace(image, map_kind="canny"),))


async def make_map(_: NodeContext, *, image: ImagesValue, preprocessor: str = "none", **_inputs: Any) -> NodeResult:
    """AIO_Preprocessor: the same picture, remembered as a map of a kind."""
    return NodeResult((replace(image, map_kind=PREPROCESSORS[preprocessor]),))


async def enlarge(context: NodeContext, *, upscale_model: str, image: ImagesValue) -> NodeResult:
    """ImageUpscaleWithModel: enlarged by the factor of the model."""
    ratio = UPSCALE_FACTORS[upscale_model]
    results = [
        await context.emulator.run_engine("upscale", image=one, ratio=ratio, seed=0, **PNG) for one in image.frames
    ]
    return NodeResult((ImagesValue(tuple(result.images[0][0] for result in results)),))


async def save(context: NodeContext, *, images: ImagesValue, filename_prefix: str) -> NodeResult:
    """SaveImage: written to the output folder under the next free number."""
    return await _write(context, images, "output", filename_prefix)


async def show(context: NodeContext, *, images: ImagesValue) -> NodeResult:
    """PreviewImage: written to the folder of passing files."""
    return await _write(context, images, "temp", "ComfyUI_temp")


async def _write(context: NodeContext, images: ImagesValue, folder: str, prefix: str) -> NodeResult:
    saved: list[SavedFile] = []
    for frame in images.frames:
        data = await asyncio.to_thread(raster.add_texts, frame, context.texts)
        name, subfolder = await asyncio.to_thread(context.files.write_numbered, folder, prefix, data)
        saved.append(SavedFile(name, subfolder, folder))
    return NodeResult(saved=tuple(saved))
