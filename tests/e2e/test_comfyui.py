"""A ComfyUI of the user's own, through an MCP client: pictures, workflows, and what becomes of jobs."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]

BOUND_S = 20.0
WORKFLOW: dict[str, Any] = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5-pruned-emaonly.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "a house"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 1], "text": "text"}},
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], "seed": 1,
            "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        },
        "_meta": {"title": "KSampler"},
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "10": {
        "class_type": "ImageScaleBy",
        "inputs": {"image": ["8", 0], "upscale_method": "lanczos", "scale_by": 2.0},
        "_meta": {"title": "input: enlargement"},
    },
    "9": {"class_type": "SaveImage", "inputs": {"images": ["10", 0], "filename_prefix": "ComfyUI"}},
}  # fmt: skip


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """A ComfyUI and a folder of workflows."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "house.json").write_text(json.dumps(WORKFLOW))
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "COMFYUI_URL": f"{site.emulator.base_url}/comfyui",
        "COMFYUI_WORKFLOWS": str(folder),
    }


async def test_a_picture_is_drawn(call: Call, engine: FakeEngine) -> None:
    drawn = await call("generate_image", prompt="a red kite", width=500, height=300, samples=2, seed=7)
    print(get_text(drawn))
    print([c for c in engine.calls])
    assert 0
