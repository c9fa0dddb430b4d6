"""Planned requests as the bodies of ``txt2img`` and ``img2img`` (contract: txt2img, img2img)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.sd_webui.advanced import PLAIN_UNIT, get_options
from atelier_mcp.server.providers.sd_webui.control_types import build_unit
from atelier_mcp.server.providers.wire import drop_none
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_webui.advanced import SdWebuiOptions
    from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiFacts
    from atelier_mcp.server.requests.create import GenerateImage
    from atelier_mcp.server.requests.edit import InpaintImage
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

TEXT_PATH: Final = "/sdapi/v1/txt2img"
IMAGE_PATH: Final = "/sdapi/v1/img2img"
PROMPT_NOTATIONS: Final[frozenset[PromptNotation]] = frozenset({"weights", "editing", "breaks", "hypernets"})
"""What it reads in a prompt by itself."""
RESIZE_MODES: Final = {"Just Resize": 0, "Crop and Resize": 1, "Resize and Fill": 2}
ORIGINAL, FILL = 1, 0
"""``inpainting_fill``: what is there stays the start, or the surroundings are smeared over it."""
MASK_BLUR_PX: Final = 4
PADDING_PX: Final = 32
"""Surroundings that are looked at when the marked part alone is worked on (contract: img2img.defaults)."""
SENT_APART: Final = frozenset(
    {"control_units", "batch_size", "vae", "clip_skip", "resize_mode", "override_settings",
     "override_settings_restore_afterwards", "image_cfg_scale", "initial_noise_multiplier"}
)  # fmt: skip
"""Inputs of ``advanced`` that are sent in a place of their own; the others go by their names."""


def build_generation(
    request: GenerateImage,
    images: Mapping[str, str],
    facts: SdWebuiFacts,
    control_documents: Mapping[str, Any],
) -> dict[str, Any]:
    """The body for a planned ``generate_image``; ``images`` holds base64 by place."""
    options = get_options(request)
    batch_size = options.batch_size or 1
    body: dict[str, Any] = {
        **_build_common(request, facts),
        **options.model_dump(mode="json", exclude_defaults=True, exclude=set(SENT_APART)),
        **build_overrides(request.model, options, facts),
        "width": request.width,
        "height": request.height,
        "batch_size": batch_size,
        # The plan has refused a batch size that does not divide the samples.
        "n_iter": request.samples // batch_size,
    }
    if request.image is not None:
        body |= {
            "init_images": [images["image"]],
            "denoising_strength": request.strength,
            "resize_mode": RESIZE_MODES[options.resize_mode or "Crop and Resize"],
            "image_cfg_scale": options.image_cfg_scale,
            "initial_noise_multiplier": options.initial_noise_multiplier,
        }
    if request.controls:
        units = [*options.control_units, *[PLAIN_UNIT] * len(request.controls)]
        arguments = [
            build_unit(control, unit, images[format_place("controls", index, "image")], control_documents)
            for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
        ]
        body["alwayson_scripts"] = {"controlnet": {"args": arguments}}
    return drop_none(body)


def build_inpainting(
    request: InpaintImage, images: Mapping[str, str], facts: SdWebuiFacts, size: tuple[int, int]
) -> dict[str, Any]:
    """The body for a planned ``inpaint_image``; our masks are black where to work (contract: conventions.mask)."""
    return drop_none(
        {
            **_build_common(request, facts),
            **build_overrides(request.model, None, facts),
            **build_masking(images["image"], images["mask"], size),
            "denoising_strength": request.strength,
            "n_iter": request.samples,
            "inpainting_fill": ORIGINAL,
            "inpaint_full_res": True,
            "inpaint_full_res_padding": PADDING_PX,
        }
    )


def build_masking(image: str, mask: str, size: tuple[int, int]) -> dict[str, Any]:
    """What every picture with a mask is sent with."""
    return {
        "init_images": [image],
        "mask": mask,
        "inpainting_mask_invert": 1,
        "mask_blur": MASK_BLUR_PX,
        "resize_mode": 0,
        "width": size[0],
        "height": size[1],
        "batch_size": 1,
    }


def build_overrides(checkpoint: str | None, options: SdWebuiOptions | None, facts: SdWebuiFacts) -> dict[str, Any]:
    """The server's settings for this picture.

    A checkpoint alone stays loaded, since the next picture most likely wants it too and loading takes long (contract:
    txt2img.restore_cost); other settings are put back, for they would change what everybody gets.
    """
    settings: dict[str, Any] = dict(options.override_settings) if options else {}
    if options is not None and options.vae is not None:
        settings[_VAE_SETTING[facts.variant == "forge"]] = [options.vae] if facts.variant == "forge" else options.vae
    if options is not None and options.clip_skip is not None:
        settings["CLIP_stop_at_last_layers"] = options.clip_skip
    restores = bool(settings)
    if options is not None and options.override_settings_restore_afterwards is not None:
        restores = options.override_settings_restore_afterwards
    if checkpoint is not None:
        settings["sd_model_checkpoint"] = checkpoint
    return {"override_settings": settings, "override_settings_restore_afterwards": restores} if settings else {}


_VAE_SETTING: Final = {False: "sd_vae", True: "forge_additional_modules"}


def _build_common(request: GenerateImage | InpaintImage, facts: SdWebuiFacts) -> dict[str, Any]:
    """What is said of every picture from words."""
    loras = getattr(request, "loras", ())
    tags = [f"<lora:{lora.model}:{lora.weight:g}>" for lora in loras] if facts.takes_lora_tags else []
    body: dict[str, Any] = {
        "prompt": " ".join([request.prompt, *tags]),
        "negative_prompt": request.negative_prompt or "",
        "seed": request.seed,
        "steps": request.steps,
        "cfg_scale": request.guidance,
        "send_images": True,
    }
    if loras and not facts.takes_lora_tags:
        body["lora"] = [{"path": lora.model, "multiplier": lora.weight} for lora in loras]
    return body
