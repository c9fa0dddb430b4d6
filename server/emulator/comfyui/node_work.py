"""What nodes do, each a function of its inputs: those that load and those that say what is to be drawn are here."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui import image_work, raster, sampling
from atelier_mcp.server.emulator.comfyui.models import CONTROL_KINDS, STYLES
from atelier_mcp.server.emulator.comfyui.values import (
    ConditioningValue,
    GuideValue,
    ImagesValue,
    LatentValue,
    ModelValue,
    NodeResult,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.emulator.comfyui.node_context import NodeContext

LATENT_STEP_PX: Final = 8


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
        pre_processor=None if image.map_kind == kind else "pass",
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
    "KSampler": sampling.sample,
    "KSamplerAdvanced": sampling.sample_advanced,
    "VAEDecode": image_work.decode,
    "LoadImage": image_work.load_image,
    "LoadImageMask": image_work.load_mask,
    "InvertMask": image_work.invert_mask,
    "ImageScale": image_work.scale,
    "ImageScaleBy": image_work.scale_by,
    "ImageInvert": image_work.invert_images,
    "ImageCompositeMasked": image_work.composite,
    "Canny": image_work.find_edges,
    "AIO_Preprocessor": image_work.make_map,
    "UpscaleModelLoader": _load_name,
    "ImageUpscaleWithModel": image_work.enlarge,
    "SaveImage": image_work.save,
    "PreviewImage": image_work.show,
    "PrimitiveInt": _load_name,
    "PrimitiveFloat": _load_name,
    "PrimitiveString": _load_name,
    "PrimitiveStringMultiline": _load_name,
    "FluxProImageNode": sampling.buy,
}
