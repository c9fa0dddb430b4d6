"""What the engine is to do for an inference, from its parameters (contract: inference_v2)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.sd_aws.parameters import (
    MOST_IMAGES,
    MOST_SIDE_PX,
    SEEDS,
    NumberBounds,
    read_values,
)
from atelier_mcp.server.emulator.sd_aws.worker_failures import InferenceFailed
from atelier_mcp.server.emulator.sources import SourceError, SourceRule, decode_base64

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.state import EmulatorState

GENERATE: Final = "generate"
UPSCALE: Final = "upscale"
SEGMENT: Final = "segment"
TASK_TYPES: Final = ("txt2img", "img2img", "extra-single-image", "extra-batch-images", "rembg")
ANY_SIZE: Final = SourceRule(min_side_px=1)
MOST_SOURCE_BYTES: Final = 64 * 1_048_576
# The weight may be left out, and whatever follows it is not looked at.
LORA_TAG: Final = re.compile(r"<lora:([^:<>]+)(?::(\d+(?:\.\d+)?|\.\d+))?[^<>]*>")
PNG: Final = {"file_format": "PNG"}
CONTROL_KINDS: Final = (
    # In this order: the first word found in module and model decides, and "lineart" is a part of "lineart_anime".
    "lineart_anime", "lineart", "canny", "depth", "openpose", "mlsd", "normal", "softedge", "scribble", "seg",
    "shuffle", "tile", "ip2p", "brightness", "reference_only", "ip_adapter_faceid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InferencePlan:
    """An inference ready for the engine; ``loras`` are the files the prompt calls up, with their weights."""

    engine_task: EngineTask
    loras: tuple[tuple[str, float], ...] = ()
    map_sources: tuple[bytes, ...] = ()
    """The pictures whose detection maps come along (contract: answered.detected_maps)."""


async def plan_inference(
    emulator: EmulatorState, task_type: str, parameters: Any, suffix: str = "png"
) -> InferencePlan:
    """What the engine is to do; raises InferenceFailed for parameters that cannot be worked with.

    ``suffix`` is that of the pictures, ``png`` or ``jpg``.
    """
    if not isinstance(parameters, dict):
        raise InferenceFailed("the parameters must be an object")
    parameters = cast("dict[str, Any]", parameters)
    match task_type:
        case "txt2img" | "img2img":
            return await _plan_generation(emulator, task_type, read_values(parameters), suffix)
        case "extra-single-image":
            image = await _read_image(emulator, parameters.get("image"), "image")
            ratio = NumberBounds(1, 4, 2.0).read("upscaling_resize", parameters.get("upscaling_resize"))
            return InferencePlan(
                EngineTask(UPSCALE, {"image": image, "ratio": ratio, "seed": 0, "watermark": None, **PNG})
            )
        case "rembg":
            image = await _read_image(emulator, parameters.get("input_image"), "input_image")
            return InferencePlan(EngineTask(SEGMENT, {"image": image, "seed": 0, **PNG}))
        case _:  # what it makes is stored nowhere
            return InferencePlan(EngineTask("", {}))


async def _plan_generation(
    emulator: EmulatorState, task_type: str, values: dict[str, Any], suffix: str
) -> InferencePlan:
    # No table has it, and the vendor's tests send it (inference_v2.img2img_input).
    if task_type == "img2img" and not values["init_images"]:
        raise InferenceFailed("init_images is required for img2img")
    width, height = _compute_size(values)
    samples = values["batch_size"] * values["n_iter"]
    if samples > MOST_IMAGES:
        raise InferenceFailed(f"batch_size times n_iter must be at most {MOST_IMAGES}")
    sources: list[Any] = values["init_images"][:1] if task_type == "img2img" else []
    strength = values["denoising_strength"]
    arguments: dict[str, Any] = {
        # A prompt of LoRA tags alone leaves nothing to draw.
        "prompt": LORA_TAG.sub("", values["prompt"]).strip() or "picture",
        "seed": values["seed"] % SEEDS if values["seed"] >= 0 else emulator.rng.randrange(1, SEEDS),
        "width": width,
        "height": height,
        "negative_prompt": values["negative_prompt"],
        "steps": values["steps"],
        "guidance": values["cfg_scale"],
        "source": await _read_image(emulator, sources[0], "init_images[0]") if sources else None,
        "strength": 0.75 if strength is None else strength,
        "controls": await _read_controls(emulator, values["alwayson_scripts"]),
        "watermark": None,
        "file_format": suffix.upper(),
        "samples": samples,
    }
    lora_tags = tuple((name, float(weight or 1)) for name, weight in LORA_TAG.findall(values["prompt"]))
    sources_of_maps = tuple(control.pop("map_source") for control in arguments["controls"])
    return InferencePlan(EngineTask(GENERATE, arguments), lora_tags, tuple(s for s in sources_of_maps if s))


def _compute_size(values: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the result: that of the second pass where there is one."""
    width, height = values["width"], values["height"]
    if not values["enable_hr"]:
        return width, height
    if values["hr_resize_x"] or values["hr_resize_y"]:
        across = values["hr_resize_x"] or round(values["hr_resize_y"] * width / height)
        return across, values["hr_resize_y"] or round(across * height / width)
    scale = min(values["hr_scale"], MOST_SIDE_PX / max(width, height))
    return round(width * scale), round(height * scale)


async def _read_controls(emulator: EmulatorState, scripts: Mapping[str, Any]) -> list[dict[str, Any]]:
    extension: dict[str, Any] = scripts.get("controlnet") or {}
    units: Any = extension.get("args") or []
    if not isinstance(units, list):
        raise InferenceFailed("alwayson_scripts.controlnet.args must be an array")
    enabled = [
        (index, cast("dict[str, Any]", unit))
        for index, unit in enumerate(cast("list[Any]", units))
        if isinstance(unit, dict) and cast("dict[str, Any]", unit).get("enabled")
    ]
    return list(await asyncio.gather(*(_read_control(emulator, index, unit) for index, unit in enabled)))


async def _read_control(emulator: EmulatorState, index: int, unit: Mapping[str, Any]) -> dict[str, Any]:
    place = f"alwayson_scripts.controlnet.args[{index}]"
    module, model = str(unit.get("module") or "none"), str(unit.get("model") or "None")
    text = f"{module} {model}".lower().replace("-", "_")
    kind = next((kind for kind in CONTROL_KINDS if kind in text), None)
    if kind is None:
        raise InferenceFailed(f"{place}: neither module {module} nor model {model} is known")
    low = NumberBounds(-1, 255, -1).read(f"{place}.threshold_a", unit.get("threshold_a"))
    high = NumberBounds(-1, 255, -1).read(f"{place}.threshold_b", unit.get("threshold_b"))
    encoded_image = unit.get("image")
    if isinstance(encoded_image, dict):  # both forms work (contract: answered.unit_pictures)
        encoded_image = cast("dict[str, Any]", encoded_image).get("image")
    image = await _read_image(emulator, encoded_image, f"{place}.image")
    return {
        "kind": kind,
        "image": image,
        "map_source": image if unit.get("save_detected_map", True) else b"",
        "weight": NumberBounds(0, 2, 1).read(f"{place}.weight", unit.get("weight")),
        "pre_processor": "pass" if module == "none" else None,
        "start": NumberBounds(0, 1, 0).read(f"{place}.guidance_start", unit.get("guidance_start")),
        "end": NumberBounds(0, 1, 1).read(f"{place}.guidance_end", unit.get("guidance_end")),
        # -1 is the worker's word for its own default.
        "low": 100 if low is None or low < 1 else int(low),
        "high": 200 if high is None or high < 1 else int(high),
        "down_sample": low if kind == "tile" and low is not None and low >= 1 else 1,
    }


async def _read_image(emulator: EmulatorState, encoded: Any, place: str) -> bytes:
    if not isinstance(encoded, str) or not encoded:
        raise InferenceFailed(f"{place} must be a picture in base64")
    try:
        data = await asyncio.to_thread(decode_base64, encoded)
        return (await emulator.sources.check(data, ANY_SIZE, most_bytes=MOST_SOURCE_BYTES)).data
    except SourceError as err:
        raise InferenceFailed(f"{place} {err}") from err
