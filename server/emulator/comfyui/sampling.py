"""What draws: the engine, told what the sampler's inputs come to."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui import raster
from atelier_mcp.server.emulator.comfyui.node_context import PNG
from atelier_mcp.server.emulator.comfyui.values import (
    ConditioningValue,
    ImagesValue,
    LatentValue,
    ModelValue,
    NodeResult,
)

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.node_context import NodeContext

ENGINE_SEEDS: Final = 2**31
MIN_STRENGTH: Final = 0.1
MIN_GUIDANCE, MAX_GUIDANCE = 1.0, 20.0


async def sample_advanced(
    context: NodeContext, *, noise_seed: int, steps: int, start_at_step: int, **inputs: Any
) -> NodeResult:
    """From a later step on: as much of the picture is kept as steps are left out."""
    denoise = max(0.0, 1 - int(start_at_step) / int(steps)) if inputs["add_noise"] == "enable" else 0.0
    return await sample(context, seed=noise_seed, steps=steps, denoise=denoise, **inputs)


async def sample(
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
    """KSampler: the engine's pictures for prompt, seed and source, as many as the latent has frames."""
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
                "image": guide.image,
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
    context.remarks.extend(note for note in result.notes if note not in context.remarks)
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
        image=latent.frames[0],
        # The engine's masks are the other way round.
        mask=await asyncio.to_thread(raster.invert, latent.mask),
        prompt=prompt,
        negative_prompt=negative_prompt,
        strength=max(MIN_STRENGTH, denoise),
        seed=seed,
        samples=latent.count,
        **PNG,
    )
    context.remarks.extend(note for note in result.notes if note not in context.remarks)
    return tuple(image for image, _ in result.images)


async def buy(context: NodeContext, *, prompt: str, seed: int, width: int, height: int) -> NodeResult:
    """What a partner draws is the engine's here."""
    latent = LatentValue(int(width), int(height))
    frames = await _draw(
        context, ModelValue(""), ConditioningValue(prompt), latent, prompt or "picture", "",
        seed=int(seed) % ENGINE_SEEDS, steps=20, cfg=MIN_GUIDANCE, denoise=1.0,
    )  # fmt: skip
    return NodeResult((ImagesValue(frames),))
