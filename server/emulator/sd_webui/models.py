"""What a WebUI has to choose from: checkpoints, LoRAs, samplers, upscalers, controls (contract: sd_models ff.)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class WebuiCheckpoint:
    """A checkpoint file."""

    file: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.file.rpartition(".")[0]

    @property
    def digest(self) -> str:
        """Its SHA-256, made up from the name."""
        return hashlib.sha256(self.file.encode()).hexdigest()

    @property
    def title(self) -> str:
        """What the options call it."""
        return f"{self.file} [{self.digest[:10]}]"

    @property
    def known_names(self) -> frozenset[str]:
        """Whatever finds it."""
        return frozenset({self.file, self.name, self.title, self.digest[:10], self.digest})


CHECKPOINTS: Final = tuple(
    WebuiCheckpoint(file)
    for file in (
        "v1-5-pruned-emaonly.safetensors", "sd_xl_base_1.0.safetensors", "dreamlike-anime.safetensors",
        "sd-v1-5-inpainting.safetensors",
    )
)  # fmt: skip
VAES: Final = ("vae-ft-mse-840000-ema-pruned.safetensors",)
LORA_STYLES: Final = {"watercolour_v2": "watercolour", "ink_sketch": "ink", "comic_lines": "comic"}
"""Each LoRA with the engine's style that it stands for."""
EMBEDDINGS: Final = ("easynegative", "badhandv4")
SAMPLERS: Final = (
    ("DPM++ 2M", ("k_dpmpp_2m",), "karras"),
    ("DPM++ SDE", ("k_dpmpp_sde",), "karras"),
    ("DPM++ 2M SDE", ("k_dpmpp_2m_sde",), "exponential"),
    ("Euler a", ("k_euler_a", "k_euler_ancestral"), ""),
    ("Euler", ("k_euler",), ""),
    ("LMS", ("k_lms",), ""),
    ("Heun", ("k_heun",), ""),
    ("DDIM", ("ddim",), ""),
    ("UniPC", ("unipc",), ""),
    ("LCM", ("k_lcm",), ""),
)
"""Name, aliases and the scheduler that comes with it."""
DEFAULT_SAMPLER: Final = "Euler"
AUTOMATIC: Final = "Automatic"
SCHEDULERS: Final = (
    ("automatic", AUTOMATIC), ("uniform", "Uniform"), ("karras", "Karras"), ("exponential", "Exponential"),
    ("polyexponential", "Polyexponential"), ("sgm_uniform", "SGM Uniform"), ("simple", "Simple"), ("beta", "Beta"),
)  # fmt: skip
UPSCALERS: Final = (
    "None", "Lanczos", "Nearest", "ESRGAN_4x", "R-ESRGAN 4x+", "R-ESRGAN 4x+ Anime6B", "SwinIR_4x", "4x-UltraSharp",
)  # fmt: skip
LATENT_MODES: Final = (
    "Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)",
    "Latent (nearest-exact)",
)  # fmt: skip
CONTROL_MODELS: Final = (
    "control_v11p_sd15_canny [d14c016b]", "control_v11f1p_sd15_depth [cfd03158]",
    "control_v11p_sd15_openpose [cab727d4]", "control_v11p_sd15_mlsd [aca30ff0]",
    "control_v11p_sd15_normalbae [316696f1]", "control_v11p_sd15_lineart [43d4be0d]",
    "control_v11p_sd15s2_lineart_anime [3825e83e]", "control_v11p_sd15_softedge [a8575a2a]",
    "control_v11p_sd15_scribble [d4ba51ff]", "control_v11p_sd15_seg [e1f51eb9]",
    "control_v11e_sd15_shuffle [526bfdae]", "control_v11f1e_sd15_tile [a371b31b]",
    "control_v11e_sd15_ip2p [c4bb465c]", "control_v11p_sd15_inpaint [ebff9138]",
)  # fmt: skip
CONTROL_MODULES: Final = (
    "none", "canny", "depth_midas", "depth_leres", "inpaint_only", "lineart_realistic", "lineart_coarse",
    "lineart_standard", "lineart_anime", "lineart_anime_denoise", "mlsd", "normal_bae", "openpose", "openpose_face",
    "openpose_faceonly", "openpose_full", "openpose_hand", "dw_openpose_full", "scribble_pidinet", "scribble_hed",
    "seg_ofade20k", "shuffle", "softedge_pidinet", "softedge_hed", "tile_resample", "tile_colorfix",
    "tile_colorfix+sharp", "reference_only", "invert",
)  # fmt: skip
CONTROL_TYPES: Final = {
    "Canny": "canny", "Depth": "depth", "OpenPose": "openpose", "MLSD": "mlsd", "NormalMap": "normal",
    "Lineart": "lineart", "SoftEdge": "softedge", "Scribble": "scribble", "Segmentation": "seg", "Shuffle": "shuffle",
    "Tile": "tile", "InstructP2P": "ip2p", "Inpaint": "inpaint", "Reference": "reference",
}  # fmt: skip
"""The names of the page, each with the word that its modules and models have in theirs."""
ALWAYS_ON_SCRIPTS: Final = ("refiner", "seed", "sampler", "extra options", "soft inpainting")
SWAP_MODELS: Final = ("inswapper_128.onnx",)
CUT_OUT_MODELS: Final = (
    "u2net", "u2netp", "u2net_human_seg", "u2net_cloth_seg", "silueta", "isnet-general-use", "isnet-anime",
)  # fmt: skip
OPTIONS: Final[dict[str, Any]] = {
    "sd_model_checkpoint": CHECKPOINTS[0].title,
    "sd_vae": AUTOMATIC,
    "samples_format": "png",
    "CLIP_stop_at_last_layers": 1,
}


def find_checkpoint(name: str) -> WebuiCheckpoint | None:
    """The checkpoint that a title, a name or a hash means."""
    return next((checkpoint for checkpoint in CHECKPOINTS if name in checkpoint.known_names), None)


def find_scheduler(name: str) -> str | None:
    """The label of a scheduler, by that or its name (samplers.case)."""
    return next((label for key, label in SCHEDULERS if name in (key, label)), None)


def split_sampler(name: str) -> tuple[str, str | None]:
    """A sampler's name and the scheduler that it ends in, where it does: ``DPM++ 2M Karras``."""
    for _, label in SCHEDULERS:
        if name.endswith(f" {label}"):
            return name.removesuffix(f" {label}"), label
    return name, None
