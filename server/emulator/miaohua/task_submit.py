"""task_submit: pictures from words, from a picture, and beyond a picture's borders (contract: task_submit)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.miaohua.calls import LARGEST_SEED, MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.controls import read_controls
from atelier_mcp.server.emulator.miaohua.errors import (
    NO_BALANCE,
    TOO_MANY_TASKS,
    MiaohuaHttpError,
    invalid_parameter,
)
from atelier_mcp.server.emulator.miaohua.models import find_base, find_lora_id, load_profile
from atelier_mcp.server.emulator.miaohua.task_results import IMAGE_TASKS, build_result
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall
    from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader

GENERATE: Final = "generate"
OUTPAINT: Final = "outpaint"
NAMES: Final = (
    "versionid", "model_name", "prompt", "neg_prompt", "n_images", "scale", "strength", "ddim_steps", "select_seed",
    "output_size", "init_img", "add_prompt", "cn_configs", "lora_configs", "controlnet_model", "callback_url",
    # enable_lcm is known and changes nothing (task_submit.enable_lcm).
    "outpaint_config", "enable_lcm",
)  # fmt: skip
# Said in other places than the table, and held to all the same (task_submit.limits_only_elsewhere).
MOST_PROMPT_CHARS: Final = 1000
# The widest of the ranges that are printed (task_submit.size_range).
LEAST_SIDE_PX: Final = 512
MOST_SIDE_PX: Final = 6240
SIZE: Final = re.compile(r"([0-9]+)x([0-9]+)")
RATIOS: Final = (1.25, 1.5, 2)
ALIGNMENTS: Final = {
    f"{name}{side}".replace("middlemiddle", "middle"): (across, down)
    for name, down in (("top", 0.0), ("middle", 0.5), ("bottom", 1.0))
    for side, across in (("left", 0.0), ("middle", 0.5), ("right", 1.0))
}
"""Where the source lies on its canvas, as shares of the room left, by the nine words."""


def build_rows() -> list[CallRow]:
    """The call, also at the path of the vendor's test client (task_submit.older_path)."""
    return [("POST", path, submit, NAMES) for path in ("/task_submit", "/txt2img_submit")]


async def submit(call: MiaohuaCall) -> MiaohuaApiResponse:
    """Accept a task, and call back when it is over if that is asked for."""
    config = call.parameters.read_object("outpaint_config")
    engine_task, facts = await (_build_extension(call, config) if config else _build_generation(call))
    callback = call.parameters.read_text("callback_url", "")
    # After the parameters: a bad request is refused as such, also where there is no balance.
    await _check_account(call)
    # A repeated submit is a task of its own (task_submit.idempotency).
    task = await call.accept(IMAGE_TASKS, engine_task, facts=facts)
    if callback:
        call.emulator.callbacks.send_when_finished(task, callback, lambda view: build_result(call, view))
    return MiaohuaApiResponse({"task_id": task.task_id}, mirrored=True)


async def _check_account(call: MiaohuaCall) -> None:
    """Refuse for want of balance or of a free slot."""
    if call.switches.out_of_balance:
        raise MiaohuaHttpError(NO_BALANCE)
    if (most := call.switches.most_tasks) is not None:
        views = await call.emulator.tasks.list_views(IMAGE_TASKS, call.account.access_key)
        if sum(view.phase in {Phase.PENDING, Phase.RUNNING} for view in views) >= most:
            raise MiaohuaHttpError(TOO_MANY_TASKS)


async def _build_generation(call: MiaohuaCall) -> tuple[EngineTask, dict[str, Any]]:
    """From words, or from words and a picture."""
    parameters = call.parameters
    prompt = parameters.read_text("prompt", longest=MOST_PROMPT_CHARS)
    # A trained LoRA may be named as if it were a model, and is no base then
    # (contract: train_progress.trained_model_use).
    lora_by_name = await find_lora_id(call, parameters.read_text("model_name", ""))
    base = find_base(
        parameters.read_text("versionid", ""), "" if lora_by_name else parameters.read_text("model_name", "")
    )
    if base is None:
        raise invalid_parameter("versionid is not a base model")
    controls = await read_controls(call)
    init_img = parameters.read_text("init_img", "")
    source = (
        await call.fetch_source(init_img, "init_img") if init_img and not parameters.has("controlnet_model") else None
    )
    width, height = _read_size(parameters, (source.width, source.height) if source else None)
    arguments = {
        "prompt": prompt,
        "seed": call.choose_seed(parameters.read_integer("select_seed", -1, least=-1, most=LARGEST_SEED)),
        "width": width,
        "height": height,
        "negative_prompt": parameters.read_text("neg_prompt", ""),
        "steps": parameters.read_integer("ddim_steps", 50, least=1, most=1000),
        # The table says int, a fraction is advised for turbo models (task_submit.scale_type).
        "guidance": parameters.read_number("scale", 7, least=1, most=20),
        "source": source.data if source else None,
        # Required by the table, and left out by the samples (task_submit.required_strength).
        "strength": parameters.read_number("strength", 0.6, least=0, most=1),
        "controls": controls,
        "profiles": await _load_profiles(call, lora_by_name),
        "watermark": None,
        "file_format": "JPG",
        "samples": parameters.read_integer("n_images", 2, least=1, most=8),
    }
    # Only checked: the engine extends no prompts.
    parameters.read_flag("add_prompt")
    return EngineTask(GENERATE, arguments), {"task_type": "img2img" if source else "txt2img", "seed": arguments["seed"]}


async def _build_extension(call: MiaohuaCall, config: ParameterReader) -> tuple[EngineTask, dict[str, Any]]:
    """A picture continued; a model is ignored (task_submit.outpaint_config)."""
    ratio = config.read_choice("outpaint_ratio", RATIOS)
    across, down = ALIGNMENTS[config.read_choice("align_position", ALIGNMENTS)]
    source = await call.fetch_source(config.read_text("src_img"), "outpaint_config.src_img")
    width, height = round(source.width * ratio), round(source.height * ratio)
    if max(width, height) > MOST_SIDE_PX:
        raise invalid_parameter(f"outpaint_config: {width}x{height} is too large")
    left, top = round((width - source.width) * across), round((height - source.height) * down)
    seed = call.choose_seed(-1)
    arguments = {
        "image": source.data,
        "left": left,
        "top": top,
        "right": width - source.width - left,
        "bottom": height - source.height - top,
        "seed": seed,
        "samples": call.parameters.read_integer("n_images", 2, least=1, most=8),
        "watermark": None,
        "file_format": "JPG",
    }
    return EngineTask(OUTPAINT, arguments), {"task_type": "outpaint", "seed": seed}


def _read_size(parameters: ParameterReader, source: tuple[int, int] | None) -> tuple[int, int]:
    """The sides asked for, else those of the source as far as they are allowed, else 960 x 960."""
    if not parameters.has("output_size") and source is not None:
        width, height = (min(MOST_SIDE_PX, max(LEAST_SIDE_PX, side)) for side in source)
        return width, height
    text = parameters.read_text("output_size", "960x960")
    match = SIZE.fullmatch(text)
    if match is None:
        raise invalid_parameter("output_size must be WIDTHxHEIGHT")
    width, height = int(match[1]), int(match[2])
    if not (LEAST_SIDE_PX <= width <= MOST_SIDE_PX and LEAST_SIDE_PX <= height <= MOST_SIDE_PX):
        raise invalid_parameter(f"output_size {text}: sides go from {LEAST_SIDE_PX} to {MOST_SIDE_PX}")
    return width, height


async def _load_profiles(call: MiaohuaCall, by_name: str) -> list[list[Any]]:
    """The one LoRA that takes effect: the first of ``lora_configs``, else one chosen by name as a model."""
    configs = call.parameters.read_objects("lora_configs")
    # Each is checked, though only the first takes effect.
    for config in configs:
        config.read_number("merge_weight", least=0, most=2)
    versionid = configs[0].read_text("versionid") if configs else by_name
    if not versionid:
        return []
    profile = await load_profile(call, versionid)
    if profile is None:
        raise invalid_parameter(f"LoRA {versionid} does not exist")
    weight = configs[0].read_number("merge_weight", least=0, most=2) if configs else 1
    return [[profile, weight]] if weight else []
