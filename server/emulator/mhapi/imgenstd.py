"""imgenstd: pictures from text, with a source picture, controls and LoRAs (contract: imgenstd.*)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import lora_models, models
from atelier_mcp.server.emulator.mhapi.calls import Call, route
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, Refused, invalid
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    SEED,
    STEPS,
    WATERMARK,
    Choice,
    Field,
    Flag,
    Group,
    Integer,
    Many,
    Number,
    Text,
    Values,
)
from atelier_mcp.server.emulator.mhapi.services import accepted, task_routes
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.world import World

NAME: Final = "imgenstd"
STUDIO: Final = "atelier_mcp.server.engine.studio:generate"
CONTROL_ALIASES: Final = {"lineartanime": "lineart_anime"}
CONTROL_NAMES: Final = {
    "canny": ("Canny", "Edge control"),
    "depth": ("Depth", "Depth control"),
    "normal": ("Normal map", "Normal-map control"),
    "openpose": ("OpenPose", "Pose control"),
    "mlsd": ("MLSD", "Straight-line control"),
    "lineart": ("Line art", "Line-art control"),
    "lineart_anime": ("Anime line art", "Anime line-art control"),
    "softedge": ("Soft edge", "Soft-edge control"),
    "scribble": ("Scribble", "Scribble control"),
    "seg": ("Segmentation", "Semantic segmentation"),
    "shuffle": ("Shuffle", "Colour and style transfer"),
    "tile": ("Tile", "Detail enhancement"),
    "ip2p": ("Instruct pix2pix", "Instruction editing"),
    "brightness": ("Brightness", "Brightness control"),
    "reference_only": ("Reference only", "Style transfer"),
    "ip_adapter_faceid": ("IP adapter face id", "Identity transfer"),
}
# The recommended default first; pass is allowed for every type (imgenstd.imgen.preprocessor_default, _pass).
PRE_PROCESSORS: Final = {
    "canny": ("canny", "invert"),
    "openpose": ("openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand"),
    "lineart": ("lineart_standard", "lineart_coarse", "lineart_realistic"),
    "lineart_anime": ("lineart_anime", "lineart_anime_denoise"),
    "tile": ("tile_resample", "tile_colorfix", "tile_colorfix_sharp"),
    # One cell of the document, read as the parts or the whole, without a default (imgenstd.imgen.faceid_preprocessors).
    "ip_adapter_faceid": ("", "face_id_plus", "plus_vith", "face_id_plus_plus_vith"),
}
PASS: Final = "pass"  # noqa: S105 - a pre-processor that does nothing

CONTROL: Final = (
    Field("type", Choice((*CONTROL_NAMES, *CONTROL_ALIASES)), required=True),
    Field("img_url", Text(), required=True),
    Field("weight", Number(above=0, most=2), default=1),
    Field("pre_processor", Text()),
    Field("guidance_start", Number(0, 1), default=0),
    Field("guidance_end", Number(0, 1), default=1),
    Field("canny_low_threshold", Integer(1, 255), default=100),
    Field("canny_high_threshold", Integer(1, 255), default=200),
    Field("tile_down_sample_rate", Number(1, 8), default=1),
)
LORA: Final = (
    Field("model_id", Text(), required=True),
    Field("merge_weight", Number(above=0, below=2), default=1),
)
IMGEN: Final = (
    MODEL_ID,
    Field("prompt", Text(width=2000), required=True),
    Field("force_translation", Flag(), default=False),
    Field("add_prompt", Flag(), default=False),
    Field("neg_prompt", Text(width=2000, may_be_empty=True), default=""),
    Field("cfg_scale", Number(1, 20), default=7),
    SAMPLES,
    Field("height", OUTPUT_SIDE, default=960),
    Field("width", OUTPUT_SIDE, default=960),
    SEED,
    STEPS,
    FORMAT,
    Field("img_url", Text(may_be_empty=True), default=""),
    Field("image_strength", Number(0, 1), default=0.6),
    WATERMARK,
    Field("controlnet_configs", Many(Group(CONTROL), most=3), default=[]),
    Field("lora_configs", Many(Group(LORA)), default=[]),
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    return [
        route(world, "GET", "/v1/imgenstd/model_cn/{model_id}", list_controls),
        *task_routes(world, NAME, {"imgen": imgen}, listing=list_models),
    ]


async def list_models(call: Call) -> Any:
    """Checkpoints, built-in LoRAs and the account's own."""
    models.only_known(call, "size", "offset", "mtp")
    kind = models.choice(call, "mtp", ("LORA", "Checkpoint", "ALL"), "ALL")
    listed = [*models.CHECKPOINTS, *models.LORAS, *await lora_models.trained(call)]
    rows = [model.full() for model in listed if kind in {"ALL", model.model_type}]
    return models.page(call, rows, zero_is_default=True)


async def list_controls(call: Call) -> Any:
    """The control types a base model supports (imgenstd.model_cn)."""
    models.only_known(call, "size", "offset")
    family = await _family(call, call.request.path_params["model_id"])
    supported = [kind for kind in CONTROL_NAMES if kind in family.controls]
    rows = [_control_row(kind) for kind in supported]
    return models.page(call, rows)


def _control_row(kind: str) -> dict[str, Any]:
    name, description = CONTROL_NAMES[kind]
    return {"cn": kind, "name": name, "description": description}


async def imgen(call: Call) -> Any:
    """Accept a generation (imgenstd.imgen)."""
    values = call.read(IMGEN)
    family = await _family(call, values["model_id"])
    controls = [_control(call, family, index, given) for index, given in enumerate(values["controlnet_configs"])]
    if values["img_url"] and models.IMAGE_TO_IMAGE not in family.kinds:
        raise invalid(f"image to image is not supported by {family.name}")
    profiles = [await _profile(call, family, values["model_id"], given) for given in values["lora_configs"]]
    source, *guides = await _pictures(call, values)
    order = {
        "prompt": values["prompt"],
        "seed": call.seed(values["seed"]),
        "width": values["width"],
        "height": values["height"],
        "negative_prompt": values["neg_prompt"],
        "steps": values["steps"],
        "guidance": values["cfg_scale"],
        "source": source,
        "strength": values["image_strength"],
        "controls": [{**control, "picture": guide} for control, guide in zip(controls, guides, strict=True)],
        "profiles": profiles,
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
        "samples": values["samples"],
    }
    facts = {name: values[name] for name in ("model_id", "force_translation", "add_prompt")}
    task = await call.accept(NAME, Order(STUDIO, order), facts=facts)
    return accepted(task.task_id)


async def _family(call: Call, model_id: str) -> models.Family:
    """The family of a base model; code 3 for a LoRA (imgenstd.model_cn.lora_error), code 5 for an unknown id."""
    if (family := models.FAMILY_OF.get(model_id)) is not None:
        return family
    if await lora_models.find(call, model_id) is not None:
        raise invalid("the model is a LoRA; please use its base model")
    raise Refused(NOT_FOUND, f"model {model_id} does not exist")


def _control(call: Call, family: models.Family, index: int, given: Values) -> Values:
    """A control as the engine takes it, without its picture."""
    place = f"controlnet_configs[{index}]"
    kind = CONTROL_ALIASES.get(given["type"], given["type"])
    if kind not in family.controls:
        raise invalid(f"{place}.type {kind} is not supported by {family.name}")
    ordered = given["guidance_start"] <= given["guidance_end"]
    if kind == "canny":
        ordered = ordered and given["canny_low_threshold"] <= given["canny_high_threshold"]
    if not ordered and not call.switches.any_order:
        raise invalid(f"{place}: the lower value must not be above the higher one")
    return {
        "kind": kind,
        "weight": given["weight"],
        "pre_processor": _pre_processor(kind, given["pre_processor"], place),
        "start": given["guidance_start"],
        "end": given["guidance_end"],
        "low": given["canny_low_threshold"],
        "high": given["canny_high_threshold"],
        "down_sample": given["tile_down_sample_rate"],
    }


def _pre_processor(kind: str, given: str | None, place: str) -> str | None:
    allowed = PRE_PROCESSORS.get(kind, ("",))
    if given is None:
        return allowed[0] or None
    if given != PASS and given not in allowed:
        raise invalid(f"{place}.pre_processor {given} does not belong to {kind}")
    return given


async def _profile(call: Call, family: models.Family, base: str, given: Values) -> list[Any]:
    """A LoRA as the engine takes it: the name of a built-in one or the bytes of a trained one, and its weight."""
    if models.LORA not in family.kinds:
        raise invalid(f"LoRA is not supported by {family.name}")
    model = await lora_models.find(call, given["model_id"])
    if model is None:
        raise Refused(NOT_FOUND, f"LoRA {given['model_id']} does not exist")
    if model.base_model_type != models.find(models.CHECKPOINTS, base).base_model_type:
        raise invalid(f"LoRA {model.id} belongs to {model.base_model_type}")
    return [await lora_models.profile(call, model.id), given["merge_weight"]]


async def _pictures(call: Call, values: Values) -> list[bytes | None]:
    """The source, if any, and the guides of the controls."""
    guides = [
        call.source(given["img_url"], f"controlnet_configs[{index}].img_url")
        for index, given in enumerate(values["controlnet_configs"])
    ]
    if not values["img_url"]:
        return [None, *[source.data for source in await asyncio.gather(*guides)]]
    fetched = await asyncio.gather(call.source(values["img_url"], "img_url"), *guides)
    return [source.data for source in fetched]
