"""A workflow as somebody exports it, and a folder of such."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def build_house() -> dict[str, Any]:
    """The workflow that ComfyUI begins with, and an enlargement that has a name of its own."""
    sampling = {
        "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], "seed": 1,
        "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
    }  # fmt: skip
    return {
        "3": build_titled("KSampler", "KSampler", **sampling),
        "4": build_titled("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name="v1-5-pruned-emaonly.safetensors"),
        "5": build_titled("EmptyLatentImage", "Empty Latent Image", width=512, height=512, batch_size=1),
        "6": build_titled("CLIPTextEncode", "CLIP Text Encode (Prompt)", text="a house", clip=["4", 1]),
        "7": build_titled("CLIPTextEncode", "CLIP Text Encode (Prompt)", text="text", clip=["4", 1]),
        "8": build_titled("VAEDecode", "VAE Decode", samples=["3", 0], vae=["4", 2]),
        "9": build_titled("SaveImage", "Save Image", images=["10", 0], filename_prefix="ComfyUI"),
        "10": build_titled(
            "ImageScaleBy", "input: enlargement = scale_by", image=["8", 0], upscale_method="lanczos", scale_by=2.0
        ),
    }


def build_titled(class_type: str, title: str, **inputs: Any) -> dict[str, Any]:
    """A node as the editor exports it."""
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def write_workflow(folder: Path, name: str, document: Any) -> None:
    """A file in a folder of workflows."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document), "utf-8")
