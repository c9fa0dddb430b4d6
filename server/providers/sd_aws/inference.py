"""A planned generate_image request as the parameters of an inference (contract: inference_v2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.sd_aws.controls import unit_of
from atelier_mcp.server.requests.aws import Advanced, ControlUnit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.create import GenerateImage

BASE = "Stable-diffusion"
TEXT_TO_IMAGE = "txt2img"
IMAGE_TO_IMAGE = "img2img"
RANDOM_SEED = -1
OWN_NAMES = frozenset(
    {"endpoint", "real_time", "batch_size", "vae", "embeddings", "hypernetworks", "control_units", "extra_options"}
)
"""Inputs of ``advanced`` that are sent in a place of their own; the others go by their names."""

NOTHING = Advanced.model_validate({})
PLAIN_UNIT = ControlUnit.model_validate({})


def advanced_of(request: GenerateImage) -> Advanced:
    """What the caller said that only this service understands."""
    return request.advanced if isinstance(request.advanced, Advanced) else NOTHING


def task_type(request: GenerateImage) -> str:
    """Text to image, or with a source image to image."""
    return TEXT_TO_IMAGE if request.image is None else IMAGE_TO_IMAGE


def models(request: GenerateImage) -> dict[str, list[str]]:
    """The files a worker has to load, by kind."""
    advanced = advanced_of(request)
    units = [unit.model for unit in advanced.control_units if unit.model]
    files = {
        BASE: [request.model or ""],
        "Lora": [lora.model for lora in request.loras],
        "embeddings": list(advanced.embeddings),
        "hypernetworks": list(advanced.hypernetworks),
        "ControlNet": list(dict.fromkeys(units)),
        "VAE": [advanced.vae] if advanced.vae else [],
    }
    return {kind: names for kind, names in files.items() if names}


def parameters(request: GenerateImage, pictures: Mapping[str, str]) -> dict[str, Any]:
    """What the worker is told; ``pictures`` holds base64 by place. What was left open is left to the service."""
    advanced = advanced_of(request)
    batch_size = advanced.batch_size or request.samples
    body: dict[str, Any] = {
        "prompt": _with_loras(request),
        "negative_prompt": request.negative_prompt or "",
        "seed": RANDOM_SEED if request.seed is None else request.seed,
        "steps": request.steps,
        "cfg_scale": request.guidance,
        "width": request.width,
        "height": request.height,
        "batch_size": batch_size,
        "n_iter": request.samples // batch_size,
        "sampler_name": advanced.sampler_name,
        "sampler_index": advanced.sampler_name,
        **advanced.model_dump(mode="json", exclude_defaults=True, exclude=set(OWN_NAMES)),
    }
    if request.image is not None:
        body |= {"init_images": [pictures["image"]], "denoising_strength": request.strength}
    if scripts := _scripts(request, advanced, pictures):
        body["alwayson_scripts"] = scripts
    return body


def _with_loras(request: GenerateImage) -> str:
    """A LoRA is called up in the prompt, by its file's name without the ending."""
    tags = [f"<lora:{lora.model.rpartition('.')[0] or lora.model}:{lora.weight:g}>" for lora in request.loras]
    return " ".join([request.prompt, *tags])


def _scripts(request: GenerateImage, advanced: Advanced, pictures: Mapping[str, str]) -> dict[str, Any]:
    scripts: dict[str, Any] = {}
    if request.controls:
        units = [*advanced.control_units, *[PLAIN_UNIT] * len(request.controls)]
        scripts["controlnet"] = {
            "args": [
                unit_of(control, unit, pictures[f"controls[{index}].image"])
                for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
            ]
        }
    if advanced.extra_options:
        scripts["extra options"] = {"args": list(advanced.extra_options)}
    return scripts
