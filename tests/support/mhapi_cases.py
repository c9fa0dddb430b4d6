"""Every tool that ends at MHAPI, called with every argument it has, and what then has to arrive there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import read_access_log

if TYPE_CHECKING:
    from pathlib import Path

TWO_FACES = [{"x": 40, "y": 30, "width": 60, "height": 70}, {"x": 240, "y": 35, "width": 50, "height": 60}]
BOUND_S: Final = 15.0
PHOTO_SIDES: Final = (800, 600)
MASK_BOX: Final = (200, 150, 400, 300)
MODEL_KINDS: Final = {
    "checkpoint": "artist_v0.4.0",
    "lora": "lora_ink_v0.4.0",
    "controlnet": "canny",
    "inpaint": "inpaint_v0.1",
    "erase": "erase_v0.1",
    "outpaint": "outpaint_v0.1",
    "upscale": "super_resolution_v1",
    "segment": "split_v0.1",
    "style": "style_oil",
    "face": "faceswap_v1",
    "training_base": "artist_v0.4.0",
}
"""Every kind of model that is listed without having been trained first, and one that must be there."""
SHAPES: Final = [{"type": "box", "points": [10, 20, 300, 400]}]
LINK_PLACEHOLDER: Final = "<link>"
BASE64_PLACEHOLDER: Final = "<base64>"
LOGO: Final = {"type": "MakaLogo"}
NOTICE: Final = {"type": "Default"}


@dataclass(frozen=True, slots=True)
class ToolCase:
    """One call and the body it becomes; ``PHOTO``, ``MASK`` and ``TRAINING-n`` stand for files."""

    name: str
    tool: str
    endpoint: str
    arguments: dict[str, Any]
    body: dict[str, Any]


CASES: Final = (
    ToolCase(
        "generate",
        "generate_image",
        "/v1/imgenstd/imgen",
        {
            "prompt": "a red kite",
            "negative_prompt": "rain",
            "image": "PHOTO",
            "strength": 0.4,
            "width": 960,
            "height": 720,
            "samples": 2,
            "seed": 5,
            "model": "artist_v0.4.0",
            "steps": 20,
            "guidance": 5,
            "controls": [
                {
                    "type": "canny",
                    "image": "PHOTO",
                    "weight": 0.5,
                    "pre_processor": "invert",
                    "start": 0.1,
                    "end": 0.9,
                    "canny_low": 50,
                    "canny_high": 150,
                },
                {"type": "tile", "image": "PHOTO", "tile_rate": 2},
            ],
            "loras": [{"model": "lora_ink_v0.4.0", "weight": 0.7}],
            "enhance_prompt": True,
            "translate_prompt": True,
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "artist_v0.4.0",
            "prompt": "a red kite, ink style",
            "neg_prompt": "rain",
            "force_translation": True,
            "add_prompt": True,
            "cfg_scale": 5,
            "samples": 2,
            "width": 960,
            "height": 720,
            "seed": 5,
            "steps": 20,
            "img_url": LINK_PLACEHOLDER,
            "image_strength": 0.4,
            "controlnet_configs": [
                {
                    "type": "canny",
                    "img_url": LINK_PLACEHOLDER,
                    "weight": 0.5,
                    "pre_processor": "invert",
                    "guidance_start": 0.1,
                    "guidance_end": 0.9,
                    "canny_low_threshold": 50,
                    "canny_high_threshold": 150,
                },
                {
                    "type": "tile",
                    "img_url": LINK_PLACEHOLDER,
                    "weight": 1,
                    "pre_processor": "tile_resample",
                    "guidance_start": 0,
                    "guidance_end": 1,
                    "tile_down_sample_rate": 2,
                },
            ],
            "lora_configs": [{"model_id": "lora_ink_v0.4.0", "merge_weight": 0.7}],
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "inpaint",
        "inpaint_image",
        "/v1/inpaint/imgen",
        {
            "image": "PHOTO",
            "mask": "MASK",
            "prompt": "一朵红花",
            "negative_prompt": "leaves",
            "strength": 0.8,
            "samples": 2,
            "seed": 7,
            "model": "inpaint_v0.1",
            "steps": 25,
            "guidance": 6.5,
            "enhance_prompt": True,
            "translate_prompt": True,
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "inpaint_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "mask_img_url": LINK_PLACEHOLDER,
            "samples": 2,
            "prompt": "一朵红花",
            "neg_prompt": "leaves",
            "force_translation": True,
            "add_prompt": True,
            "repaint_strength": 0.8,
            "cfg_scale": 6.5,
            "seed": 7,
            "steps": 25,
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "erase",
        "erase_object",
        "/v1/erase/imgen",
        {
            "image": "PHOTO",
            "mask": "MASK",
            "mark": "line",
            "samples": 3,
            "model": "erase_v0.1",
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "erase_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "mask_img_url": LINK_PLACEHOLDER,
            "mask_type": "line",
            "samples": 3,
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "cut out",
        "cut_out_subject",
        "/v1/erase/cutout",
        {
            "image": "PHOTO",
            "mask": "MASK",
            "mark": "point",
            "model": "erase_v0.1",
            "watermark": "logo",
        },
        {
            "model_id": "erase_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "mask_img_url": LINK_PLACEHOLDER,
            "mask_type": "point",
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "cut out without marks",
        "cut_out_subject",
        "/v1/split/imgen",
        {"image": "PHOTO", "model": "split_v0.1"},
        {"model_id": "split_v0.1", "img_url": LINK_PLACEHOLDER, "format": "PNG"},
    ),
    ToolCase(
        "upscale",
        "upscale_image",
        "/v1/sup_res/imgen",
        {"image": "PHOTO", "ratio": 2.5, "model": "super_resolution_v1", "format": "png", "watermark": "logo"},
        {
            "model_id": "super_resolution_v1",
            "img_url": LINK_PLACEHOLDER,
            "hd_ratio": 2.5,
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "outpaint by a ratio",
        "outpaint_image",
        "/v1/outpaint/imgen",
        {
            "image": "PHOTO",
            "scale": 2,
            "position": "bottomright",
            "samples": 2,
            "model": "outpaint_v0.1",
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "outpaint_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "samples": 2,
            "outpaint_ratio": 2,
            "align_position": "bottomright",
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "outpaint to a size",
        "outpaint_image",
        "/v1/outpaint/imgen",
        {"image": "PHOTO", "width": 1200, "height": 900, "position": "topleft", "format": "jpg"},
        {
            "model_id": "outpaint_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "samples": 1,
            "width": 1200,
            "height": 900,
            "align_position": "topleft",
            "format": "JPG",
            "watermark_config": NOTICE,
        },
    ),
    ToolCase(
        "outpaint onto a canvas",
        "outpaint_image",
        "/v1/outpaint/imgen_free",
        {
            "image": "PHOTO",
            "width": 1000,
            "height": 1024,
            "x": 101,
            "y": 200,
            "samples": 2,
            "model": "outpaint_v0.1",
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "outpaint_v0.1",
            "img_url": LINK_PLACEHOLDER,
            "samples": 2,
            "width": 1024,
            "height": 1024,
            "free_x": 120,
            "free_y": 200,
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "stylize",
        "stylize_image",
        "/v1/stylization/imgen",
        {
            "image": "PHOTO",
            "style": "Watercolour",
            "width": 1200,
            "height": 900,
            "samples": 2,
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "style_watercolour",
            "img_url": LINK_PLACEHOLDER,
            "samples": 2,
            "width": 1200,
            "height": 900,
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "stylize at once",
        "stylize_image",
        "/v1/stylization/imgen_sync",
        {"image": "PHOTO", "style": "style_oil", "width": 1200, "height": 900, "direct": True},
        {
            "model_id": "style_oil",
            "img_url": LINK_PLACEHOLDER,
            "samples": 1,
            "width": 1200,
            "height": 900,
            "format": "PNG",
            "watermark_config": NOTICE,
            "get_type": "url",
        },
    ),
    ToolCase(
        "detect faces",
        "detect_faces",
        "/v1/face/detect",
        {"image": "PHOTO", "style": "anime"},
        {"img_url": LINK_PLACEHOLDER, "type": "anime"},
    ),
    ToolCase(
        "swap faces",
        "swap_faces",
        "/v1/face/imggen",
        {
            "image": "PHOTO",
            "faces": [{"image": "MASK", "index": 1, "target_index": 1}, {"image": "PHOTO"}],
            "likeness": 0.4,
            "guidance": 25,
            "prompt": "smiling",
            "model": "faceswap_v1",
            "format": "png",
            "watermark": "logo",
        },
        {
            "model_id": "faceswap_v1",
            "base_img": {"url": LINK_PLACEHOLDER},
            "faces": [
                {"url": LINK_PLACEHOLDER, "index": 1, "base_index": 1},
                {"url": LINK_PLACEHOLDER, "index": 0, "base_index": 0},
            ],
            "dino_scale": 0.4,
            "guidance_scale": 25,
            "prompt": "smiling",
            "format": "PNG",
            "watermark_config": LOGO,
        },
    ),
    ToolCase(
        "swap faces at once",
        "swap_faces",
        "/v1/face/imggen_sync",
        {
            "image": "PHOTO",
            "faces": [{"image": "MASK"}],
            "style": "anime",
            "likeness": 0.1,
            "guidance": 40,
            "prompt": "hat",
            "direct": True,
        },
        {
            "model_id": "faceswap_yw",
            "base_img": {"url": LINK_PLACEHOLDER},
            "faces": [{"url": LINK_PLACEHOLDER, "index": 0, "base_index": 0}],
            "dino_scale": 0.1,
            "guidance_scale": 40,
            "prompt": "hat",
            "format": "PNG",
            "watermark_config": NOTICE,
        },
    ),
    ToolCase(
        "train",
        "train_lora",
        "/v1/lora/train",
        {
            "images": [f"TRAINING-{number}" for number in range(10)],
            "base": "artist_v0.4.0",
            "subject": "human",
            "name": "Ten colours",
            "description": "plain colours",
            "trigger": "tencol",
            "queue": "vip",
        },
        {
            "base_model_id": "artist_v0.4.0",
            "model_name": "Ten colours",
            "description": "plain colours",
            "trigger_word": "tencol",
            "main_object": "Human",
            "task_type": "VIP",
            "images": [LINK_PLACEHOLDER] * 10,
        },
    ),
)


def write_case_files(folder: Path) -> dict[str, str]:
    """The files that the words in the cases stand for, as paths."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", PHOTO_SIDES, 255)
    ImageDraw.Draw(mask).rectangle(MASK_BOX, fill=0)
    mask.save(folder / "mask.png")
    (folder / "photo.png").write_bytes(encode_plain_image(*PHOTO_SIDES, colour="tan"))
    for number in range(10):
        (folder / f"training-{number}.png").write_bytes(
            encode_plain_image(300, 300, colour=f"hsl({36 * number}, 80%, 50%)")
        )
    names = {f"TRAINING-{number}": f"training-{number}.png" for number in range(10)}
    return {word: str(folder / name) for word, name in {"PHOTO": "photo.png", "MASK": "mask.png", **names}.items()}


def fill_placeholders(value: Any, files: dict[str, str]) -> Any:
    """The arguments with files for the words that stand for them."""
    match value:
        case dict():
            return {name: fill_placeholders(item, files) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case list():
            return [fill_placeholders(item, files) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case str():
            return files.get(value, value)
        case _:
            return value


def replace_links(value: Any) -> Any:
    """A body with every link, and everything as long as a picture, replaced by a word for it."""
    match value:
        case dict():
            return {name: replace_links(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
        case list():
            return [replace_links(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
        case str() if value.startswith("http://127.0.0.1:"):
            return LINK_PLACEHOLDER
        case str() if re.search(r"characters|^[A-Za-z0-9+/]{200}", value):
            return BASE64_PLACEHOLDER
        case _:
            return value


async def wait_for_bodies(log: Path, endpoint: str, *, count: int = 1) -> list[dict[str, Any]]:
    """The bodies that reached an endpoint, as soon as ``count`` of them are in the emulator's access log."""
    with anyio.fail_after(BOUND_S):
        while len(entries := [entry for entry in read_access_log(log) if entry["path"] == endpoint]) < count:
            await anyio.sleep(0.01)
    return [replace_links(entry["body"]) for entry in entries]
