"""The forms of a task and of a training, for clients that build their pages of them (contract: get_*_form)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.models import BASES, SUBJECTS, TRAINABLE

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaState, OpenRow

SIZES: Final = {
    "1:1": ["512x512", "640x640", "768x768", "1024x1024"],
    "2:3": ["512x768", "640x960", "768x1152", "1024x1536"],
    "3:2": ["768x512", "960x640", "1152x768", "1536x1024"],
}


def build_open_rows() -> list[OpenRow]:
    """Both forms, which want no token; that of a training at both the paths that are printed."""
    return [
        ("GET", "/get_generation_form", get_generation_form),
        ("GET", "/get_train_form", get_training_form),
        ("GET", "/train_form", get_training_form),
    ]


async def get_generation_form(_: MiaohuaState, __: Request) -> MiaohuaApiResponse:
    """The fields of a task."""
    return MiaohuaApiResponse(build_generation_form())


async def get_training_form(_: MiaohuaState, __: Request) -> MiaohuaApiResponse:
    """The choices of a training."""
    return MiaohuaApiResponse(build_training_form())


def build_generation_form() -> list[dict[str, Any]]:
    """The fields as printed, with the catalogue's models (get_generation_form.form_is_stale)."""
    names = [model.model_name for model in BASES]
    return [
        {"choices": names, "default": names[0], "description": "model name", "name": "model_name", "type": "list"},
        {"default": "", "description": "prompt", "name": "prompt", "type": "string"},
        {"default": "", "description": "negative prompt", "name": "neg_prompt", "type": "string"},
        {"default": 2, "description": "number of images", "max": 8, "min": 1, "name": "n_images", "type": "int"},
        {"default": 7, "description": "Guidance Scale", "max": 20, "min": 1, "name": "scale", "type": "int"},
        {"default": -1, "description": "seed", "max": 9999999, "min": 0, "name": "select_seed", "type": "int"},
        {"choices": SIZES, "default": "512x512", "description": "resolution", "name": "resolution", "type": "dict"},
        {"default": "", "description": "init image url", "name": "init_img", "type": "str"},
        {
            "choices": ["", "canny"],
            "default": "",
            "description": "controlnet model",
            "name": "controlnet_model",
            # string and str are the same type, as printed (get_generation_form.type_synonyms).
            "type": "str",
        },
    ]


def build_training_form() -> dict[str, Any]:
    """What can be trained on, under ASCII names (get_train_form.chinese_names)."""
    return {"base_model": [model.model_name for model in TRAINABLE], "main_body": list(SUBJECTS)}
