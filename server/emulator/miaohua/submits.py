"""task_submit: pictures from words, from a picture, and beyond a picture's borders (contract: task_submit)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua import trained
from atelier_mcp.server.emulator.miaohua.answers import NO_BALANCE, TOO_MANY_TASKS, Refused, Reply, illegal
from atelier_mcp.server.emulator.miaohua.calls import LARGEST_SEED, Call
from atelier_mcp.server.emulator.miaohua.models import CONTROLS, base_named
from atelier_mcp.server.emulator.miaohua.results import PICTURES, result_of
from atelier_mcp.server.emulator.tasks import Order, Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.parameters import Parameters

GENERATE: Final = "atelier_mcp.server.engine.studio:generate"
OUTPAINT: Final = "atelier_mcp.server.engine.studio:outpaint"
NAMES: Final = (
    "versionid", "model_name", "prompt", "neg_prompt", "n_images", "scale", "strength", "ddim_steps", "select_seed",
    "output_size", "init_img", "add_prompt", "cn_configs", "lora_configs", "controlnet_model", "callback_url",
    "outpaint_config", "enable_lcm",
)  # fmt: skip
MOST_PROMPT_CHARS: Final = 1000
MOST_CONTROLS: Final = 3
LEAST_SIDE_PX: Final = 512
MOST_SIDE_PX: Final = 6240
SIZE: Final = re.compile(r"([0-9]+)x([0-9]+)")
RATIOS: Final = (1.25, 1.5, 2)
ALIGNED: Final = {
    f"{name}{side}".replace("middlemiddle", "middle"): (across, down)
    for name, down in (("top", 0.0), ("middle", 0.5), ("bottom", 1.0))
    for side, across in (("left", 0.0), ("middle", 0.5), ("right", 1.0))
}
"""Where the source lies on its canvas, as shares of the room left, by the nine words."""
PROCESSORS: Final = {
    "canny": ("canny", "invert"),
    "lineart": ("lineart_realistic", "lineart_coarse", "lineart_standard", "invert"),
    "lineart_anime": ("lineart_anime", "lineart_anime_denoise"),
    "openpose": (
        "dw_openpose_full", "openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand",
    ),
    "tile": ("tile_colorfix", "tile_colorfix_sharp", "tile_resample"),
}  # fmt: skip
ENGINE_PROCESSORS: Final = {"dw_openpose_full": "openpose_full"}
OLD_CONTROLS: Final = {"hed": "softedge", "hough": "mlsd", "fake_scribble": "scribble"}
OLD_NAMES: Final = ("openpose", "canny", "depth", "fake_scribble", "scribble", "hed", "hough", "normal", "seg")


async def submit(call: Call) -> Reply:
    """Accept a task, and call back when it is over if that is asked for."""
    config = call.given.group("outpaint_config")
    order, facts = await (_extension(call, config) if config else _generation(call))
    callback = call.given.text("callback_url", "")
    await _check_account(call)
    task = await call.accept(PICTURES, order, facts=facts)
    if callback:
        call.world.callbacks.send_when_over(task, callback, lambda view: result_of(call, view))
    return Reply({"task_id": task.task_id}, mirrored=True)


async def _check_account(call: Call) -> None:
    """Refuse for want of balance or of a free slot."""
    if call.switches.out_of_balance:
        raise Refused(NO_BALANCE)
    if (most := call.switches.most_tasks) is not None:
        views = await call.world.tasks.all_of(PICTURES, call.account.access_key)
        if sum(view.phase in {Phase.PENDING, Phase.RUNNING} for view in views) >= most:
            raise Refused(TOO_MANY_TASKS)


async def _generation(call: Call) -> tuple[Order, dict[str, Any]]:
    """From words, or from words and a picture."""
    given = call.given
    prompt = given.text("prompt", longest=MOST_PROMPT_CHARS)
    lora_by_name = await trained.named(call, given.text("model_name", ""))
    base = base_named(given.text("versionid", ""), "" if lora_by_name else given.text("model_name", ""))
    if base is None:
        raise illegal("versionid is not a base model")
    controls = await _controls(call)
    init_img = given.text("init_img", "")
    source = await call.source(init_img, "init_img") if init_img and not given.has("controlnet_model") else None
    width, height = _size(given, (source.width, source.height) if source else None)
    order = {
        "prompt": prompt,
        "seed": call.seed(given.whole("select_seed", -1, least=-1, most=LARGEST_SEED)),
        "width": width,
        "height": height,
        "negative_prompt": given.text("neg_prompt", ""),
        "steps": given.whole("ddim_steps", 50, least=1, most=1000),
        "guidance": given.number("scale", 7, least=1, most=20),
        "source": source.data if source else None,
        "strength": given.number("strength", 0.6, least=0, most=1),
        "controls": controls,
        "profiles": await _profiles(call, lora_by_name),
        "watermark": None,
        "file_format": "JPG",
        "samples": given.whole("n_images", 2, least=1, most=8),
    }
    given.flag("add_prompt")
    return Order(GENERATE, order), {"task_type": "img2img" if source else "txt2img", "seed": order["seed"]}


async def _extension(call: Call, config: Parameters) -> tuple[Order, dict[str, Any]]:
    """A picture continued; a model is ignored (task_submit.outpaint_config)."""
    ratio = config.choice("outpaint_ratio", RATIOS)
    across, down = ALIGNED[config.choice("align_position", ALIGNED)]
    source = await call.source(config.text("src_img"), "outpaint_config.src_img")
    width, height = round(source.width * ratio), round(source.height * ratio)
    if max(width, height) > MOST_SIDE_PX:
        raise illegal(f"outpaint_config: {width}x{height} is too large")
    left, top = round((width - source.width) * across), round((height - source.height) * down)
    seed = call.seed(-1)
    order = {
        "picture": source.data,
        "left": left,
        "top": top,
        "right": width - source.width - left,
        "bottom": height - source.height - top,
        "seed": seed,
        "samples": call.given.whole("n_images", 2, least=1, most=8),
        "watermark": None,
        "file_format": "JPG",
    }
    return Order(OUTPAINT, order), {"task_type": "outpaint", "seed": seed}


def _size(given: Parameters, source: tuple[int, int] | None) -> tuple[int, int]:
    """The sides asked for, else those of the source as far as they are allowed, else 960 x 960."""
    if not given.has("output_size") and source is not None:
        width, height = (min(MOST_SIDE_PX, max(LEAST_SIDE_PX, side)) for side in source)
        return width, height
    text = given.text("output_size", "960x960")
    match = SIZE.fullmatch(text)
    if match is None:
        raise illegal("output_size must be WIDTHxHEIGHT")
    width, height = int(match[1]), int(match[2])
    if not (LEAST_SIDE_PX <= width <= MOST_SIDE_PX and LEAST_SIDE_PX <= height <= MOST_SIDE_PX):
        raise illegal(f"output_size {text}: sides go from {LEAST_SIDE_PX} to {MOST_SIDE_PX}")
    return width, height


async def _controls(call: Call) -> list[dict[str, Any]]:
    """The controls as the engine takes them; the old single one counts where there are no others."""
    configs = call.given.groups("cn_configs")
    if len(configs) > MOST_CONTROLS:
        raise illegal(f"cn_configs has {len(configs)} entries, at most {MOST_CONTROLS} are allowed")
    if configs:
        return list(await asyncio.gather(*(_control(call, index, config) for index, config in enumerate(configs))))
    old = call.given.text("controlnet_model", "")
    if not old:
        return []
    name = call.given.choice("controlnet_model", OLD_NAMES)
    guide = await call.source(call.given.text("init_img"), "init_img")
    return [{"kind": OLD_CONTROLS.get(name, name), "picture": guide.data}]


async def _control(call: Call, index: int, config: Parameters) -> dict[str, Any]:
    place = f"cn_configs[{index}]"
    kind = config.choice("cn", CONTROLS)
    start, end = (config.number(n, d, least=0, most=1) for n, d in (("guidance_start", 0), ("guidance_end", 1)))
    if start > end:
        raise illegal(f"{place}: guidance_start is above guidance_end")
    guide = await call.source(config.text("img"), f"{place}.img")
    control = {
        "kind": kind,
        "picture": guide.data,
        "weight": config.number("weight", least=0, most=2),
        "start": start,
        "end": end,
    }
    return control | _settings(kind, place, config.group("config"))


def _settings(kind: str, place: str, config: Parameters | None) -> dict[str, Any]:
    """The type's own settings (conventions.controlnet_processors)."""
    if config is None:
        return {}
    low = config.whole("low_threshold", 100, least=1, most=255)
    high = config.whole("high_threshold", 200, least=1, most=255)
    settings = {"low": low, "high": high, "down_sample": config.number("down_sample_rate", 1, least=1, most=8)}
    if kind == "canny" and low > high:
        raise illegal(f"{place}.config: low_threshold is above high_threshold")
    if not config.has("control_processor"):
        return settings
    processor = config.choice("control_processor", PROCESSORS.get(kind, ()))
    if (kind, processor) == ("lineart", "invert"):  # the engine inverts lines for its edges
        return settings | {"kind": "canny", "pre_processor": "invert"}
    return settings | {"pre_processor": ENGINE_PROCESSORS.get(processor, processor)}


async def _profiles(call: Call, by_name: str) -> list[list[Any]]:
    """The one LoRA that takes effect: the first of ``lora_configs``, else one chosen by name as a model."""
    configs = call.given.groups("lora_configs")
    for config in configs:
        config.number("merge_weight", least=0, most=2)
    versionid = configs[0].text("versionid") if configs else by_name
    if not versionid:
        return []
    profile = await trained.profile(call, versionid)
    if profile is None:
        raise illegal(f"LoRA {versionid} does not exist")
    weight = configs[0].number("merge_weight", least=0, most=2) if configs else 1
    return [[profile, weight]] if weight else []
