"""Pictures from words and from pictures (contract: txt2img, img2img)."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.errors import OUT_OF_MEMORY, WebuiFault, build_out_of_memory_fault
from atelier_mcp.server.emulator.sd_webui.generation_plan import WebuiGeneration, plan_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall
    from atelier_mcp.server.emulator.sd_webui.queue import WebuiJob

VERSIONS: Final = {"forge": "f2.0.1", "sdnext": "", "forge_classic": "classic", "reforge": "f1.0.0"}
VERSION: Final = "v1.10.1"
STANDARD_CASES: Final = {"jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}


def build_rows() -> list[CallRow]:
    """Both calls."""
    return [
        ("POST", "/sdapi/v1/txt2img", draw_from_words),
        ("POST", "/sdapi/v1/img2img", draw_from_image),
    ]


async def draw_from_words(call: WebuiCall) -> dict[str, Any]:
    """``txt2img``."""
    return await _draw(call, "txt2img", has_source=False)


async def draw_from_image(call: WebuiCall) -> dict[str, Any]:
    """``img2img``; with a mask only what lies under it is drawn anew."""
    return await _draw(call, "img2img", has_source=True)


async def _draw(call: WebuiCall, name: str, *, has_source: bool) -> dict[str, Any]:
    generation = await plan_generation(call, has_source=has_source)
    task_id = f"task({name}-{call.emulator.rng.getrandbits(35):07x})"
    # SD.Next takes no id of the caller's.
    if call.switches.variant != "sdnext":
        task_id = generation.values["force_task_id"] or task_id
    seconds = call.emulator.settings.task_seconds
    async with call.server.queue.run(
        task_id, seconds=seconds, steps=generation.values["steps"], clock=call.emulator.clock.now
    ) as job:
        images, comments = await _render(call, generation, job)
    return await _build_answer(call, generation, images, comments)


async def _render(
    call: WebuiCall, generation: WebuiGeneration, job: WebuiJob
) -> tuple[list[tuple[bytes, int]], Sequence[str]]:
    """The pictures with their seeds, batch after batch, and what the engine has to say of them.

    Of an interrupted job these are as many as it came to.
    """
    verdict = get_verdict(call.request)
    if verdict is not None and verdict.failed:
        raise (
            build_out_of_memory_fault()
            if verdict.failed == OUT_OF_MEMORY
            else WebuiFault("RuntimeError", verdict.failed)
        )
    try:
        result = await _run_engine(call, generation)
    except ValueError as err:
        raise WebuiFault("RuntimeError", str(err)) from None
    images: list[tuple[bytes, int]] = []
    batches, size = generation.values["n_iter"], generation.values["batch_size"]
    for batch in range(batches):
        await job.pass_time(job.seconds / batches)
        images += result.images[batch * size : (batch + 1) * size]
        if job.is_interrupted:
            break
    return images, result.notes


async def _run_engine(call: WebuiCall, generation: WebuiGeneration) -> Any:
    common: dict[str, Any] = {
        "prompt": generation.prompt, "negative_prompt": generation.values["negative_prompt"],
        "seed": generation.seed, "samples": generation.count, "watermark": None, "file_format": "PNG",
    }  # fmt: skip
    strength = generation.values["denoising_strength"]
    if generation.mask is not None and not await asyncio.to_thread(pixels.is_blank, generation.mask):
        return await call.emulator.run_engine(
            "inpaint", image=generation.source, mask=generation.mask, strength=max(0.1, strength), **common
        )
    return await call.emulator.run_engine(
        "generate",
        width=generation.width,
        height=generation.height,
        steps=generation.values["steps"],
        guidance=generation.values["cfg_scale"],
        source=generation.source,
        # A mask that marks nothing leaves all as it is.
        strength=0.0 if generation.mask is not None else strength,
        controls=[unit.engine_control for unit in generation.units if unit.engine_control is not None],
        profiles=list(generation.profiles),
        **common,
    )


async def _build_answer(
    call: WebuiCall, generation: WebuiGeneration, images: Sequence[tuple[bytes, int]], comments: Sequence[str]
) -> dict[str, Any]:
    """Pictures, then the maps of the controls; the echo of the request; and the info, JSON in a string."""
    info = _build_info(call, generation, [seed for _, seed in images])
    info |= {"comments": list(comments)} if comments else {}
    encoded: list[str] = []
    if generation.values["send_images"]:
        for (data, _), text in zip(images, info["infotexts"], strict=True):
            encoded.append(await asyncio.to_thread(_encode, call, data, text))
        for unit in generation.units:
            if unit.sends_map:
                encoded.append(_to_base64(await asyncio.to_thread(pixels.detect_edges, unit.image)))
    echo = {name: value for name, value in call.body.items() if name not in ("init_images", "mask", "alwayson_scripts")}
    if generation.values.get("include_init_images"):
        echo |= {name: call.body[name] for name in ("init_images", "mask") if name in call.body}
    return {"images": encoded, "parameters": echo, "info": json.dumps(info)}


def _encode(call: WebuiCall, png: bytes, text: str) -> str:
    """A picture in the format that the options say (formats.out)."""
    file_format = STANDARD_CASES.get(str(call.server.options.get("samples_format")).lower())
    return _to_base64(pixels.add_text(png, text) if file_format is None else pixels.convert(png, file_format))


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _build_info(call: WebuiCall, generation: WebuiGeneration, seeds: list[int]) -> dict[str, Any]:
    values, checkpoint = generation.values, generation.checkpoint
    version = VERSIONS.get(call.switches.variant, VERSION)
    lines = [
        f"{values['prompt']}\nSteps: {values['steps']}, Sampler: {generation.sampler}, "
        f"Schedule type: {generation.scheduler}, CFG scale: {values['cfg_scale']}, Seed: {seed}, "
        f"Size: {generation.width}x{generation.height}, Model: {checkpoint.name}, Version: {version}"
        for seed in seeds
    ]
    count = len(seeds)
    return {
        "prompt": values["prompt"], "all_prompts": [values["prompt"]] * count,
        "negative_prompt": values["negative_prompt"], "all_negative_prompts": [values["negative_prompt"]] * count,
        "seed": seeds[0] if seeds else generation.seed, "all_seeds": seeds, "subseed": values["subseed"],
        "all_subseeds": [values["subseed"]] * count, "subseed_strength": values["subseed_strength"],
        "width": generation.width, "height": generation.height, "sampler_name": generation.sampler,
        "cfg_scale": values["cfg_scale"], "steps": values["steps"], "batch_size": values["batch_size"],
        "restore_faces": bool(values["restore_faces"]), "sd_model_name": checkpoint.name,
        "sd_model_hash": checkpoint.digest[:10], "sd_vae_name": None,
        "denoising_strength": values["denoising_strength"],
        "extra_generation_params": {"Schedule type": generation.scheduler}, "index_of_first_image": 0,
        "infotexts": lines, "styles": values["styles"] or [], "job_timestamp": "0", "clip_skip": 1,
        "is_using_inpainting_conditioning": "inpainting" in checkpoint.name, "version": version,
    }  # fmt: skip
