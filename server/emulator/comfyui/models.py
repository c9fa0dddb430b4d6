"""The files that the emulated server has, by folder."""

from __future__ import annotations

from typing import Final

FILES: Final[dict[str, tuple[str, ...]]] = {
    "checkpoints": ("sd_xl_base_1.0.safetensors", "v1-5-pruned-emaonly.safetensors", "sd-v1-5-inpainting.ckpt"),
    "loras": ("comic.safetensors", "ink.safetensors", "watercolour.safetensors"),
    "vae": ("sdxl_vae.safetensors", "vae-ft-mse-840000-ema-pruned.safetensors"),
    "controlnet": (
        "control_v11f1e_sd15_tile.pth", "control_v11f1p_sd15_depth.pth", "control_v11p_sd15_canny.pth",
        "control_v11p_sd15_openpose.pth", "control_v11p_sd15_scribble.pth",
    ),
    "upscale_models": ("RealESRGAN_x2.pth", "RealESRGAN_x4.pth"),
    "embeddings": ("easynegative",),
    "text_encoders": ("clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors"),
    "diffusion_models": ("flux1-schnell.safetensors",),
}  # fmt: skip
"""What ``/models/{folder}`` lists and loaders let one choose from."""
STYLES: Final = {"comic.safetensors": "comic", "ink.safetensors": "ink", "watercolour.safetensors": "watercolour"}
"""The engine's names of the LoRAs."""
SAMPLERS: Final = (
    "euler", "euler_ancestral", "heun", "dpm_2", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_sde", "ddim", "uni_pc",
)  # fmt: skip
SCHEDULERS: Final = ("simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal")
SCALE_METHODS: Final = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
CONTROL_KINDS: Final = ("canny", "depth", "openpose", "scribble", "tile")
"""The engine's kinds of control, found in a net's file name."""
PREPROCESSORS: Final = {
    "none": "",
    "CannyEdgePreprocessor": "canny",
    "OpenposePreprocessor": "openpose",
    "ScribblePreprocessor": "scribble",
}
"""Of the extension comfyui_controlnet_aux, each with the engine's kind of its map."""
UPSCALE_FACTORS: Final = {"RealESRGAN_x2.pth": 2, "RealESRGAN_x4.pth": 4}
