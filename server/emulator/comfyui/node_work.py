"""What nodes do, each a function of its inputs: drawing is the engine's, sizes and masks are plain work on pictures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui import raster
from atelier_mcp.server.emulator.comfyui.models import CONTROL_KINDS, STYLES, UPSCALE_FACTORS
from atelier_mcp.server.emulator.comfyui.values import (
    ConditioningValue,
    GuideValue,
    ImagesValue,
    LatentValue,
    ModelValue,
    NodeResult,
    SavedFile,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.emulator.comfyui.file_store import FileStore
    from atelier_mcp.server.emulator.state import EmulatorState

LATENT_STEP_PX: Final = 8
ENGINE_SEEDS: Final = 2**31
MIN_STRENGTH: Final = 0.1
MIN_GUIDANCE, MAX_GUIDANCE = 1.0, 20.0
PNG: Final = {"file_format": "PNG", "watermark": None}


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What nodes work with."""

    emulator: EmulatorState
    files: FileStore
    texts: dict[str, str]
    """What is written into every saved file."""


async def run_node(class_type: str, context: NodeContext, inputs: dict[str, Any]) -> NodeResult:
    """Carry out one node; raises ValueError for what it cannot do."""
    return await _WORK[class_type](context, **inputs)


async def _load_checkpoint(_: NodeContext, *, ckpt_name: str) -> NodeResult:
    return NodeResult((ModelValue(ckpt_name), ckpt_name, ckpt_name))


async def _load_name(_: NodeContext, **inputs: str) -> NodeResult:
    """A file that is known by its name from here on."""
    return NodeResult(tuple(inputs.values()))


async def _load_lora(
    _: NodeContext, *, model: ModelValue, lora_name: str, strength_model: float, **inputs: Any
) -> NodeResult:
    styled = replace(model, styles=(*model.styles, (STYLES[lora_name], float(strength_model))))
    return NodeResult((styled, inputs["clip"]) if "clip" in inputs else (styled,))


async def _pass_clip(_: NodeContext, *, clip: str, **_inputs: Any) -> NodeResult:
    return NodeResult((clip,))


async def _encode_text(_: NodeContext, *, text: str, **_inputs: Any) -> NodeResult:
    return NodeResult((ConditioningValue(text),))


async def _combine(
    _: NodeContext, *, conditioning_1: ConditioningValue, conditioning_2: ConditioningValue
) -> NodeResult:
    text = ", ".join(one.text for one in (conditioning_1, conditioning_2) if one.text)
    return NodeResult((ConditioningValue(text, conditioning_1.guides + conditioning_2.guides),))


async def _zero_out(_: NodeContext, *, conditioning: ConditioningValue) -> NodeResult:
    return NodeResult((replace(conditioning, text=""),))


async def _apply_control(
    _: NodeContext,
    *,
    positive: ConditioningValue,
    negative: ConditioningValue,
    control_net: str,
    image: ImagesValue,
    strength: float,
    start_percent: float,
    end_percent: float,
    **_inputs: Any,
) -> NodeResult:
    kind = next((kind for kind in CONTROL_KINDS if kind in control_net), CONTROL_KINDS[0])
    guide = GuideValue(
        kind,
        image.frames[0],
        min(2.0, float(strength)),
        float(start_percent),
        float(end_percent),
        pre_processor="canny" if image.shows_edges and kind == "canny" else "pass",
    )
    return NodeResult((replace(positive, guides=(*positive.guides, guide)), negative))


async def _start_empty(_: NodeContext, *, width: int, height: int, batch_size: int) -> NodeResult:
    width, height = (int(side) // LATENT_STEP_PX * LATENT_STEP_PX for side in (width, height))
    return NodeResult((LatentValue(width, height, int(batch_size)),))


async def _encode_images(_: NodeContext, *, pixels: ImagesValue, **_inputs: Any) -> NodeResult:
    frames = tuple([await asyncio.to_thread(raster.crop_to_step, one, LATENT_STEP_PX) for one in pixels.frames])
    width, height = await asyncio.to_thread(raster.measure, frames[0])
    return NodeResult((LatentValue(width, height, len(frames), frames),))


async def _encode_for_inpaint(
    context: NodeContext, *, pixels: ImagesValue, mask: bytes, grow_mask_by: int, **_inputs: Any
) -> NodeResult:
    (latent,) = (await _encode_images(context, pixels=pixels)).values
    assert isinstance(latent, LatentValue)  # noqa: S101  # for the type checker
    return NodeResult((replace(latent, mask=await asyncio.to_thread(raster.grow, mask, int(grow_mask_by))),))


async def _set_mask(_: NodeContext, *, samples: LatentValue, mask: bytes) -> NodeResult:
    return NodeResult((replace(samples, mask=mask),))


async def _repeat(_: NodeContext, *, samples: LatentValue, amount: int) -> NodeResult:
    return NodeResult((replace(samples, count=samples.count * int(amount), frames=samples.frames * int(amount)),))


async def _sample_advanced(
    context: NodeContext, *, noise_seed: int, steps: int, start_at_step: int, **inputs: Any
) -> NodeResult:
    """From a later step on: as much of the picture is kept as steps are left out."""
    denoise = max(0.0, 1 - int(start_at_step) / int(steps)) if inputs["add_noise"] == "enable" else 0.0
    return await _sample(context, seed=noise_seed, steps=steps, denoise=denoise, **inputs)


async def _sample(
    context: NodeContext,
    *,
    model: ModelValue,
    seed: int,
    steps: int,
    cfg: float,
    positive: ConditioningValue,
    negative: ConditioningValue,
    latent_image: LatentValue,
    denoise: float = 1.0,
    **_inputs: Any,
) -> NodeResult:
    seed, denoise = int(seed) % ENGINE_SEEDS, float(denoise)
    prompt = positive.text.strip() or "picture"
    if latent_image.mask is not None:
        frames = await _repaint(context, latent_image, prompt, negative.text, seed=seed, denoise=denoise)
    elif latent_image.frames and denoise == 0:
        frames = latent_image.frames
    else:
        frames = await _draw(
            context, model, positive, latent_image, prompt, negative.text,
            seed=seed, steps=int(steps), cfg=float(cfg), denoise=denoise,
        )  # fmt: skip
    return NodeResult((replace(latent_image, frames=frames, count=len(frames), mask=None),))


async def _draw(
    context: NodeContext,
    model: ModelValue,
    positive: ConditioningValue,
    latent: LatentValue,
    prompt: str,
    negative_prompt: str,
    *,
    seed: int,
    steps: int,
    cfg: float,
    denoise: float,
) -> tuple[bytes, ...]:
    result = await context.emulator.run_engine(
        "generate",
        prompt=prompt,
        negative_prompt=negative_prompt,
        seed=seed,
        width=latent.width,
        height=latent.height,
        steps=steps,
        guidance=min(MAX_GUIDANCE, max(MIN_GUIDANCE, cfg)),
        source=latent.frames[0] if latent.frames else None,
        strength=denoise,
        controls=[
            {
                "kind": guide.kind,
                "picture": guide.picture,
                "weight": guide.weight,
                "pre_processor": guide.pre_processor,
                "start": guide.start,
                "end": guide.end,
            }
            for guide in positive.guides
        ],
        profiles=[[style, weight] for style, weight in model.styles],
        samples=latent.count,
        **PNG,
    )
    return tuple(image for image, _ in result.images)


async def _repaint(
    context: NodeContext, latent: LatentValue, prompt: str, negative_prompt: str, *, seed: int, denoise: float
) -> tuple[bytes, ...]:
    """Only where the mask is white; an empty one changes nothing (contract: comfy.mask_size)."""
    assert latent.mask is not None  # noqa: S101  # as it was called
    if await asyncio.to_thread(raster.is_empty, latent.mask):
        return latent.frames
    result = await context.emulator.run_engine(
        "inpaint",
        picture=latent.frames[0],
        # The engine's masks are the other way round.
        mask=await asyncio.to_thread(raster.invert, latent.mask),
        prompt=prompt,
        negative_prompt=negative_prompt,
        strength=max(MIN_STRENGTH, denoise),
        seed=seed,
        samples=latent.count,
        **PNG,
    )
    return tuple(image for image, _ in result.images)


async def _decode(_: NodeContext, *, samples: LatentValue, **_inputs: Any) -> NodeResult:
    if not samples.frames:
        raise ValueError("an empty latent has no picture to decode")
    return NodeResult((ImagesValue(samples.frames),))


async def _load_image(context: NodeContext, *, image: str) -> NodeResult:
    data = await asyncio.to_thread(context.files.read_input, image)
    picture, mask = await asyncio.to_thread(raster.load, data)
    return NodeResult((ImagesValue((picture,)), mask))


async def _load_mask(context: NodeContext, *, image: str, channel: str) -> NodeResult:
    data = await asyncio.to_thread(context.files.read_input, image)
    return NodeResult((await asyncio.to_thread(raster.load_channel, data, channel),))


async def _invert_mask(_: NodeContext, *, mask: bytes) -> NodeResult:
    return NodeResult((await asyncio.to_thread(raster.invert, mask),))


async def _invert_images(_: NodeContext, *, image: ImagesValue) -> NodeResult:
    return NodeResult((ImagesValue(tuple([await asyncio.to_thread(raster.invert, one) for one in image.frames])),))


async def _scale(
    _: NodeContext, *, image: ImagesValue, upscale_method: str, width: int, height: int, crop: str
) -> NodeResult:
    frames = [
        await asyncio.to_thread(raster.scale, one, int(width), int(height), upscale_method, crop)
        for one in image.frames
    ]
    return NodeResult((ImagesValue(tuple(frames)),))


async def _scale_by(context: NodeContext, *, image: ImagesValue, upscale_method: str, scale_by: float) -> NodeResult:
    width, height = await asyncio.to_thread(raster.measure, image.frames[0])
    size = {"width": round(width * float(scale_by)), "height": round(height * float(scale_by))}
    return await _scale(context, image=image, upscale_method=upscale_method, crop="disabled", **size)


async def _composite(
    _: NodeContext,
    *,
    destination: ImagesValue,
    source: ImagesValue,
    x: int,
    y: int,
    resize_source: bool,
    mask: bytes | None = None,
) -> NodeResult:
    frames = [
        await asyncio.to_thread(
            raster.composite, destination.frames[0], one, mask, int(x), int(y), resize=bool(resize_source)
        )
        for one in source.frames
    ]
    return NodeResult((ImagesValue(tuple(frames)),))


async def _find_edges(_: NodeContext, *, image: ImagesValue, **_inputs: Any) -> NodeResult:
    return NodeResult((replace(image, shows_edges=True),))


async def _enlarge(context: NodeContext, *, upscale_model: str, image: ImagesValue) -> NodeResult:
    ratio = UPSCALE_FACTORS[upscale_model]
    results = [
        await context.emulator.run_engine("upscale", picture=one, ratio=ratio, seed=0, **PNG) for one in image.frames
    ]
    return NodeResult((ImagesValue(tuple(result.images[0][0] for result in results)),))


async def _save(context: NodeContext, *, images: ImagesValue, filename_prefix: str) -> NodeResult:
    return await _write(context, images, "output", filename_prefix)


async def _show(context: NodeContext, *, images: ImagesValue) -> NodeResult:
    return await _write(context, images, "temp", "ComfyUI_temp")


async def _write(context: NodeContext, images: ImagesValue, folder: str, prefix: str) -> NodeResult:
    saved: list[SavedFile] = []
    for frame in images.frames:
        data = await asyncio.to_thread(raster.add_texts, frame, context.texts)
        name, subfolder = await asyncio.to_thread(context.files.write_numbered, folder, prefix, data)
        saved.append(SavedFile(name, subfolder, folder))
    return NodeResult(saved=tuple(saved))


async def _buy(context: NodeContext, *, prompt: str, seed: int, width: int, height: int) -> NodeResult:
    """What a partner draws is the engine's here."""
    latent = LatentValue(int(width), int(height))
    frames = await _draw(
        context, ModelValue(""), ConditioningValue(prompt), latent, prompt or "picture", "",
        seed=int(seed) % ENGINE_SEEDS, steps=20, cfg=MIN_GUIDANCE, denoise=1.0,
    )  # fmt: skip
    return NodeResult((ImagesValue(frames),))


_WORK: Final[dict[str, Callable[..., Awaitable[NodeResult]]]] = {
    "CheckpointLoaderSimple": _load_checkpoint,
    "VAELoader": _load_name,
    "LoraLoader": _load_lora,
    "LoraLoaderModelOnly": _load_lora,
    "CLIPSetLastLayer": _pass_clip,
    "CLIPTextEncode": _encode_text,
    "ConditioningCombine": _combine,
    "ConditioningZeroOut": _zero_out,
    "ControlNetLoader": _load_name,
    "ControlNetApplyAdvanced": _apply_control,
    "EmptyLatentImage": _start_empty,
    "EmptySD3LatentImage": _start_empty,
    "VAEEncode": _encode_images,
    "VAEEncodeForInpaint": _encode_for_inpaint,
    "SetLatentNoiseMask": _set_mask,
    "RepeatLatentBatch": _repeat,
    "KSampler": _sample,
    "KSamplerAdvanced": _sample_advanced,
    "VAEDecode": _decode,
    "LoadImage": _load_image,
    "LoadImageMask": _load_mask,
    "InvertMask": _invert_mask,
    "ImageScale": _scale,
    "ImageScaleBy": _scale_by,
    "ImageInvert": _invert_images,
    "ImageCompositeMasked": _composite,
    "Canny": _find_edges,
    "UpscaleModelLoader": _load_name,
    "ImageUpscaleWithModel": _enlarge,
    "SaveImage": _save,
    "PreviewImage": _show,
    "PrimitiveInt": _load_name,
    "PrimitiveFloat": _load_name,
    "PrimitiveString": _load_name,
    "PrimitiveStringMultiline": _load_name,
    "FluxProImageNode": _buy,
}
