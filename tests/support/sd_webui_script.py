"""A scripted WebUI, and a provider of it."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider
from atelier_mcp.server.providers.sd_webui.spec import SdWebuiSettings
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

PASSWORD: Final = "PW-hidden-everywhere"
URL: Final = "http://webui.example:7860"
TXT2IMG: Final = "/sdapi/v1/txt2img"
IMG2IMG: Final = "/sdapi/v1/img2img"
TASK: Final = "/internal/progress"
MISSING: Final = build_response({"detail": "Not Found"}, 404)
CHECKPOINTS: Final = [
    {"title": "v1-5.safetensors [aa11bb22cc]", "model_name": "v1-5", "hash": "aa11bb22cc", "filename": "/srv/v1-5"},
    {"title": "sd_xl_base.safetensors [dd33ee44ff]", "model_name": "sd_xl_base", "hash": "dd33ee44ff"},
]
CONTROL_TYPES: Final = {
    "Canny": {
        "module_list": ["none", "canny"], "model_list": ["None", "canny_sd15 [d14c016b]"],
        "default_option": "canny", "default_model": "canny_sd15 [d14c016b]",
    },
    "Depth": {
        "module_list": ["none", "depth_midas"], "model_list": ["None", "depth_sd15 [cfd03158]"],
        "default_option": "depth_midas", "default_model": "depth_sd15 [cfd03158]",
    },
}  # fmt: skip
ANSWERS: Final[dict[str, Any]] = {
    "/sdapi/v1/samplers": [{"name": "DPM++ 2M", "aliases": []}, {"name": "Euler", "aliases": ["k_euler"]}],
    "/sdapi/v1/options": {"sd_model_checkpoint": "v1-5.safetensors [aa11bb22cc]"},
    "/sdapi/v1/scripts": {"txt2img": ["controlnet", "refiner"], "img2img": ["controlnet"]},
    "/sdapi/v1/sd-vae": [{"model_name": "soft.safetensors", "filename": "/srv/soft"}],
    "/sdapi/v1/schedulers": [{"name": "automatic", "label": "Automatic"}, {"name": "karras", "label": "Karras"}],
    "/sdapi/v1/sd-models": CHECKPOINTS,
    "/sdapi/v1/loras": [{"name": "ink", "alias": "Ink drawing", "path": "/srv/ink", "metadata": {}}],
    "/sdapi/v1/upscalers": [{"name": "None"}, {"name": "Lanczos"}, {"name": "R-ESRGAN 4x+"}],
    "/sdapi/v1/latent-upscale-modes": [{"name": "Latent"}],
    "/sdapi/v1/embeddings": {"loaded": {"easynegative": {}}, "skipped": {}},
    "/controlnet/version": {"version": 2},
    "/controlnet/control_types": {"control_types": CONTROL_TYPES},
    "/controlnet/module_list": {"module_list": ["none", "canny", "depth_midas", "reference_only"]},
    "/controlnet/model_list": {"model_list": ["canny_sd15 [d14c016b]", "depth_sd15 [cfd03158]"]},
    "/reactor/models": {"models": ["inswapper_128.onnx"]},
    "/rembg": None,
    "/internal/pending-tasks": {"size": 0, "tasks": []},
    TASK: {"active": True, "queued": False, "completed": False, "progress": 0.5},
    "/sdapi/v1/refresh-checkpoints": None,
    "/sdapi/v1/refresh-loras": None,
}
"""An AUTOMATIC1111 with every extension."""
NEVER_THERE: Final = ("/sdapi/v1/sd-modules", "/sdapi/v1/version", "/v1/models")
REQUEST: Final = GenerateImage.model_validate(
    {"prompt": "a very private prompt", "width": 512, "height": 512, "steps": 20, "guidance": 7, "seed": 42}
)


def encode_colour(colour: str, size: tuple[int, int] = (8, 8)) -> str:
    """A plain picture as base64."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


IMAGE: Final = encode_colour("teal")


def build_drawing(*images: str, **info: Any) -> httpx2.Response:
    """The answer of a drawing call: one picture unless told otherwise, and what is said of it."""
    known = {"seed": 42, "all_seeds": [42, 43, 44], "index_of_first_image": 0, "sd_model_name": "v1-5"}
    return build_response({"images": list(images or (IMAGE,)), "parameters": {}, "info": json.dumps({**known, **info})})


def script_server(script: UpstreamScript, **changes: Any) -> None:
    """Let the script be a WebUI; ``changes`` are answers by path, None for a route that is not there."""
    for path in NEVER_THERE:
        script.set_steps(path, MISSING)
    for path, answer in ANSWERS.items():
        script.set_steps(path, build_response(json.dumps(answer)))
    set_answers(script, changes)


def set_answers(script: UpstreamScript, changes: Mapping[str, Any]) -> None:
    """Other answers for some paths."""
    for path, answer in changes.items():
        script.set_steps(path, MISSING if answer is None else build_response(json.dumps(answer)))


def create_webui(script: UpstreamScript, clock: AutoAdvanceClock, **variables: str) -> SdWebuiProvider:
    """The provider, with a user and a password; ``variables`` are settings by field."""
    settings = SdWebuiSettings.model_validate(
        {"SD_WEBUI_URL": URL, "SD_WEBUI_USER": "me", "SD_WEBUI_PASSWORD": PASSWORD, **variables}
    )
    return SdWebuiProvider(settings, clock=clock, transport=script.transport)
