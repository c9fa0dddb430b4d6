"""A planned generate_image request as the parameters of an inference (contract: inference_v2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.sd_aws.controls import build_unit
from atelier_mcp.server.requests.aws import AdvancedOptions, ControlNetUnitOptions
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.create import GenerateImage

CHECKPOINT_TYPE = "Stable-diffusion"
TEXT_TO_IMAGE = "txt2img"
IMAGE_TO_IMAGE = "img2img"
RANDOM_SEED = -1
SEPARATE_FIELDS = frozenset(
    {"endpoint", "real_time", "batch_size", "vae", "embeddings", "hypernetworks", "control_units", "extra_options"}
)
"""Inputs of ``advanced`` that are sent in a place of their own; the others go by their names."""

NO_ADVANCED = AdvancedOptions.model_validate({})
PLAIN_UNIT = ControlNetUnitOptions.model_validate({})


def get_advanced(request: GenerateImage) -> AdvancedOptions:
    """What the caller said that only this service understands."""
    return request.advanced if isinstance(request.advanced, AdvancedOptions) else NO_ADVANCED


def get_task_type(request: GenerateImage) -> str:
    """Text to image, or with a source image to image."""
    return TEXT_TO_IMAGE if request.image is None else IMAGE_TO_IMAGE


def list_files(request: GenerateImage) -> dict[str, list[str]]:
    """The files a worker has to load, by kind."""
    advanced = get_advanced(request)
    units = [unit.model for unit in advanced.control_units if unit.model]
    files = {
        CHECKPOINT_TYPE: [request.model or ""],
        "Lora": [lora.model for lora in request.loras],
        "embeddings": list(advanced.embeddings),
        "hypernetworks": list(advanced.hypernetworks),
        "ControlNet": list(dict.fromkeys(units)),
        "VAE": [advanced.vae] if advanced.vae else [],
    }
    return {kind: names for kind, names in files.items() if names}


def build_parameters(request: GenerateImage, images: Mapping[str, str]) -> dict[str, Any]:
    """What the worker is told; ``images`` holds base64 by place. What was left open is left to the service."""
    advanced = get_advanced(request)
    batch_size = advanced.batch_size or request.samples
    body: dict[str, Any] = {
        "prompt": _add_lora_tags(request),
        "negative_prompt": request.negative_prompt or "",
        "seed": RANDOM_SEED if request.seed is None else request.seed,
        "steps": request.steps,
        "cfg_scale": request.guidance,
        "width": request.width,
        "height": request.height,
        "batch_size": batch_size,
        # The plan has refused a batch size that does not divide the samples.
        "n_iter": request.samples // batch_size,
        "sampler_name": advanced.sampler_name,
        # The older name of sampler_name; a worker that reads only one of the two still finds it
        # (contract: inference_v2).
        "sampler_index": advanced.sampler_name,
        **advanced.model_dump(mode="json", exclude_defaults=True, exclude=set(SEPARATE_FIELDS)),
    }
    if request.image is not None:
        body |= {"init_images": [images["image"]], "denoising_strength": request.strength}
    if scripts := _build_scripts(request, advanced, images):
        body["alwayson_scripts"] = scripts
    return body


def encode_parameters(parameters: Mapping[str, Any]) -> bytes:
    """Parameters as the file that is uploaded; never with NaN or Infinity (contract: inference_v2.non_finite)."""
    return json.dumps(parameters, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _add_lora_tags(request: GenerateImage) -> str:
    """A LoRA is called up in the prompt, by its file's name without the ending."""
    tags = [f"<lora:{lora.model.rpartition('.')[0] or lora.model}:{lora.weight:g}>" for lora in request.loras]
    return " ".join([request.prompt, *tags])


def _build_scripts(request: GenerateImage, advanced: AdvancedOptions, images: Mapping[str, str]) -> dict[str, Any]:
    scripts: dict[str, Any] = {}
    if request.controls:
        # Padded with plain units: the caller may describe fewer units than there are controls, never more.
        units = [*advanced.control_units, *[PLAIN_UNIT] * len(request.controls)]
        scripts["controlnet"] = {
            "args": [
                build_unit(control, unit, images[format_place("controls", index, "image")])
                for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
            ]
        }
    if advanced.extra_options:
        # The space in the key is the vendor's (contract: inference_v2).
        scripts["extra options"] = {"args": list(advanced.extra_options)}
    return scripts
