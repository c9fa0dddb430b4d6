"""The classes of nodes there are: their inputs, their outputs, and what they are called to people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui.input_types import (
    INT_MAX,
    choice,
    flag,
    input_file,
    link,
    number,
    text,
    whole,
)
from atelier_mcp.server.emulator.comfyui.models import FILES, PREPROCESSORS, SAMPLERS, SCALE_METHODS, SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atelier_mcp.server.emulator.comfyui.input_types import InputType

MOST_SIDE_PX: Final = 16384
SEED: Final = whole(0, 0, INT_MAX)
STEPS: Final = whole(20, 1, 10000)
CFG: Final = number(8.0, 0.0, 100.0, 0.1)
DENOISE: Final = number(1.0, 0.0, 1.0)
SIDE: Final = whole(512, 0, MOST_SIDE_PX)
LATENT_SIDE: Final = whole(512, 16, MOST_SIDE_PX, 8)
SAMPLER: Final = choice(*SAMPLERS)
SCHEDULER: Final = choice(*SCHEDULERS)
SCALE_METHOD: Final = choice(*SCALE_METHODS)
CROP: Final = choice("disabled", "center")
CHANNEL: Final = choice("alpha", "red", "green", "blue")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedClass:
    """A class of nodes."""

    title: str
    inputs: Mapping[str, InputType]
    outputs: tuple[str, ...] = ()
    is_output: bool = False
    is_paid: bool = False

    def describe(
        self, name: str, list_choices: Callable[[InputType], tuple[str, ...]], *, names_combos: bool
    ) -> dict[str, Any]:
        """As ``object_info`` has it (contract: object_info)."""
        groups: dict[str, dict[str, Any]] = {"required": {}}
        for input_name, kind in self.inputs.items():
            group = groups.setdefault("optional" if kind.is_optional else "required", {})
            group[input_name] = kind.describe(list_choices(kind), names_combos=names_combos)
        return {
            "input": groups,
            "input_order": {group: list(inputs) for group, inputs in groups.items()},
            "output": list(self.outputs),
            "output_is_list": [False] * len(self.outputs),
            "output_name": list(self.outputs),
            "name": name,
            "display_name": self.title,
            "description": "",
            "python_module": "nodes",
            "category": "api node/image" if self.is_paid else "",
            "output_node": self.is_output,
            **({"api_node": True} if self.is_paid else {}),
        }


CLASSES: Final[dict[str, EmulatedClass]] = {
    "CheckpointLoaderSimple": EmulatedClass(
        title="Load Checkpoint",
        inputs={"ckpt_name": choice(*FILES["checkpoints"])},
        outputs=("MODEL", "CLIP", "VAE"),
    ),
    "VAELoader": EmulatedClass(title="Load VAE", inputs={"vae_name": choice(*FILES["vae"])}, outputs=("VAE",)),
    "LoraLoader": EmulatedClass(
        title="Load LoRA",
        inputs={
            "model": link("MODEL"),
            "clip": link("CLIP"),
            "lora_name": choice(*FILES["loras"]),
            "strength_model": number(1.0, -100.0, 100.0),
            "strength_clip": number(1.0, -100.0, 100.0),
        },
        outputs=("MODEL", "CLIP"),
    ),
    "LoraLoaderModelOnly": EmulatedClass(
        title="LoraLoaderModelOnly",
        inputs={
            "model": link("MODEL"),
            "lora_name": choice(*FILES["loras"]),
            "strength_model": number(1.0, -100.0, 100.0),
        },
        outputs=("MODEL",),
    ),
    "CLIPSetLastLayer": EmulatedClass(
        title="CLIP Set Last Layer",
        inputs={"clip": link("CLIP"), "stop_at_clip_layer": whole(-1, -24, -1)},
        outputs=("CLIP",),
    ),
    "CLIPTextEncode": EmulatedClass(
        title="CLIP Text Encode (Prompt)", inputs={"text": text(), "clip": link("CLIP")}, outputs=("CONDITIONING",)
    ),
    "ConditioningCombine": EmulatedClass(
        title="Conditioning (Combine)",
        inputs={"conditioning_1": link("CONDITIONING"), "conditioning_2": link("CONDITIONING")},
        outputs=("CONDITIONING",),
    ),
    "ConditioningZeroOut": EmulatedClass(
        title="ConditioningZeroOut", inputs={"conditioning": link("CONDITIONING")}, outputs=("CONDITIONING",)
    ),
    "ControlNetLoader": EmulatedClass(
        title="Load ControlNet Model",
        inputs={"control_net_name": choice(*FILES["controlnet"])},
        outputs=("CONTROL_NET",),
    ),
    "ControlNetApplyAdvanced": EmulatedClass(
        title="Apply ControlNet",
        inputs={
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "control_net": link("CONTROL_NET"),
            "image": link("IMAGE"),
            "strength": number(1.0, 0.0, 10.0),
            "start_percent": number(0.0, 0.0, 1.0, 0.001),
            "end_percent": number(1.0, 0.0, 1.0, 0.001),
            "vae": link("VAE", is_optional=True),
        },
        outputs=("CONDITIONING", "CONDITIONING"),
    ),
    "EmptyLatentImage": EmulatedClass(
        title="Empty Latent Image",
        inputs={"width": LATENT_SIDE, "height": LATENT_SIDE, "batch_size": whole(1, 1, 4096)},
        outputs=("LATENT",),
    ),
    "EmptySD3LatentImage": EmulatedClass(
        title="EmptySD3LatentImage",
        inputs={"width": LATENT_SIDE, "height": LATENT_SIDE, "batch_size": whole(1, 1, 4096)},
        outputs=("LATENT",),
    ),
    "VAEEncode": EmulatedClass(
        title="VAE Encode", inputs={"pixels": link("IMAGE"), "vae": link("VAE")}, outputs=("LATENT",)
    ),
    "VAEEncodeForInpaint": EmulatedClass(
        title="VAE Encode (for Inpainting)",
        inputs={
            "pixels": link("IMAGE"),
            "vae": link("VAE"),
            "mask": link("MASK"),
            "grow_mask_by": whole(6, 0, 64),
        },
        outputs=("LATENT",),
    ),
    "SetLatentNoiseMask": EmulatedClass(
        title="Set Latent Noise Mask", inputs={"samples": link("LATENT"), "mask": link("MASK")}, outputs=("LATENT",)
    ),
    "RepeatLatentBatch": EmulatedClass(
        title="Repeat Latent Batch", inputs={"samples": link("LATENT"), "amount": whole(1, 1, 64)}, outputs=("LATENT",)
    ),
    "KSampler": EmulatedClass(
        title="KSampler",
        inputs={
            "model": link("MODEL"),
            "seed": SEED,
            "steps": STEPS,
            "cfg": CFG,
            "sampler_name": SAMPLER,
            "scheduler": SCHEDULER,
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "latent_image": link("LATENT"),
            "denoise": DENOISE,
        },
        outputs=("LATENT",),
    ),
    "KSamplerAdvanced": EmulatedClass(
        title="KSampler (Advanced)",
        inputs={
            "model": link("MODEL"),
            "add_noise": choice("enable", "disable"),
            "noise_seed": SEED,
            "steps": STEPS,
            "cfg": CFG,
            "sampler_name": SAMPLER,
            "scheduler": SCHEDULER,
            "positive": link("CONDITIONING"),
            "negative": link("CONDITIONING"),
            "latent_image": link("LATENT"),
            "start_at_step": whole(0, 0, 10000),
            "end_at_step": whole(10000, 0, 10000),
            "return_with_leftover_noise": choice("disable", "enable"),
        },
        outputs=("LATENT",),
    ),
    "VAEDecode": EmulatedClass(
        title="VAE Decode", inputs={"samples": link("LATENT"), "vae": link("VAE")}, outputs=("IMAGE",)
    ),
    "LoadImage": EmulatedClass(title="Load Image", inputs={"image": input_file()}, outputs=("IMAGE", "MASK")),
    "LoadImageMask": EmulatedClass(
        title="Load Image (as Mask)", inputs={"image": input_file(), "channel": CHANNEL}, outputs=("MASK",)
    ),
    "InvertMask": EmulatedClass(title="InvertMask", inputs={"mask": link("MASK")}, outputs=("MASK",)),
    "ImageScale": EmulatedClass(
        title="Upscale Image",
        inputs={
            "image": link("IMAGE"),
            "upscale_method": SCALE_METHOD,
            "width": SIDE,
            "height": SIDE,
            "crop": CROP,
        },
        outputs=("IMAGE",),
    ),
    "ImageScaleBy": EmulatedClass(
        title="Upscale Image By",
        inputs={"image": link("IMAGE"), "upscale_method": SCALE_METHOD, "scale_by": number(1.0, 0.01, 8.0)},
        outputs=("IMAGE",),
    ),
    "ImageInvert": EmulatedClass(title="Invert Image", inputs={"image": link("IMAGE")}, outputs=("IMAGE",)),
    "ImageCompositeMasked": EmulatedClass(
        title="ImageCompositeMasked",
        inputs={
            "destination": link("IMAGE"),
            "source": link("IMAGE"),
            "x": whole(0, 0, MOST_SIDE_PX),
            "y": whole(0, 0, MOST_SIDE_PX),
            "resize_source": flag(default=False),
            "mask": link("MASK", is_optional=True),
        },
        outputs=("IMAGE",),
    ),
    "Canny": EmulatedClass(
        title="Canny",
        inputs={
            "image": link("IMAGE"),
            "low_threshold": number(0.4, 0.01, 0.99),
            "high_threshold": number(0.8, 0.01, 0.99),
        },
        outputs=("IMAGE",),
    ),
    "AIO_Preprocessor": EmulatedClass(
        title="AIO Aux Preprocessor",
        inputs={
            "image": link("IMAGE"),
            "preprocessor": replace(choice(*PREPROCESSORS), is_optional=True),
            "resolution": whole(512, 64, MOST_SIDE_PX, is_optional=True),
        },
        outputs=("IMAGE",),
    ),
    "UpscaleModelLoader": EmulatedClass(
        title="Load Upscale Model",
        inputs={"model_name": choice(*FILES["upscale_models"])},
        outputs=("UPSCALE_MODEL",),
    ),
    "ImageUpscaleWithModel": EmulatedClass(
        title="Upscale Image (using Model)",
        inputs={"upscale_model": link("UPSCALE_MODEL"), "image": link("IMAGE")},
        outputs=("IMAGE",),
    ),
    "SaveImage": EmulatedClass(
        title="Save Image", inputs={"images": link("IMAGE"), "filename_prefix": text("ComfyUI")}, is_output=True
    ),
    "PreviewImage": EmulatedClass(title="Preview Image", inputs={"images": link("IMAGE")}, is_output=True),
    "PrimitiveInt": EmulatedClass(title="Int", inputs={"value": whole(0, -INT_MAX, INT_MAX)}, outputs=("INT",)),
    "PrimitiveFloat": EmulatedClass(title="Float", inputs={"value": number(0.0, -1e9, 1e9)}, outputs=("FLOAT",)),
    "PrimitiveString": EmulatedClass(title="String", inputs={"value": text("")}, outputs=("STRING",)),
    "PrimitiveStringMultiline": EmulatedClass(
        title="String (Multiline)", inputs={"value": text("")}, outputs=("STRING",)
    ),
    "FluxProImageNode": EmulatedClass(
        title="Flux Pro Image (a partner's)",
        inputs={"prompt": text(), "seed": SEED, "width": LATENT_SIDE, "height": LATENT_SIDE},
        outputs=("IMAGE",),
        is_paid=True,
    ),
}
