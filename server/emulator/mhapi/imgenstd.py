"""imgenstd: pictures from text, with a source picture, controls and LoRAs (contract: imgenstd.*)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, MhapiHttpError, invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    FORMAT,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    SEED,
    STEPS,
    WATERMARK,
    ChoiceRule,
    FlagRule,
    IntegerRule,
    ListRule,
    NumberRule,
    ObjectRule,
    Parameter,
    TextRule,
    Values,
    build_page,
    check_query_names,
    read_query_choice,
)
from atelier_mcp.server.emulator.mhapi.results import build_submit_response, build_task_rows

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall

NAME: Final = "imgenstd"
GENERATE: Final = "generate"
# Both spellings are taken, the one with the underscore is reported (imgenstd.imgen.lineart_anime).
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
PRE_PROCESSORS: Final[dict[str, tuple[str, ...]]] = {
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
    Parameter("type", ChoiceRule((*CONTROL_NAMES, *CONTROL_ALIASES)), required=True),
    Parameter("img_url", TextRule(), required=True),
    # Each bound as printed, open or closed (imgenstd.imgen.weight_bounds).
    Parameter("weight", NumberRule(above=0, most=2), default=1),
    # Not preprocessor, as some rows have it (imgenstd.imgen.preprocessor_spelling).
    Parameter("pre_processor", TextRule()),
    Parameter("guidance_start", NumberRule(0, 1), default=0),
    Parameter("guidance_end", NumberRule(0, 1), default=1),
    # Settings of one type are checked and ignored for the others (imgenstd.imgen.foreign_params).
    Parameter("canny_low_threshold", IntegerRule(1, 255), default=100),
    Parameter("canny_high_threshold", IntegerRule(1, 255), default=200),
    Parameter("tile_down_sample_rate", NumberRule(1, 8), default=1),
)
LORA: Final = (
    Parameter("model_id", TextRule(), required=True),
    Parameter("merge_weight", NumberRule(above=0, below=2), default=1),
)
IMGEN: Final = (
    MODEL_ID,
    Parameter("prompt", TextRule(width=2000), required=True),
    Parameter("force_translation", FlagRule(), default=False),
    Parameter("add_prompt", FlagRule(), default=False),
    Parameter("neg_prompt", TextRule(width=2000, may_be_empty=True), default=""),
    Parameter("cfg_scale", NumberRule(1, 20), default=7),
    SAMPLES,
    # The size of a source counts for nothing: it is scaled to cover this (imgenstd.imgen.img2img_size).
    Parameter("height", OUTPUT_SIDE, default=960),
    Parameter("width", OUTPUT_SIDE, default=960),
    SEED,
    STEPS,
    FORMAT,
    Parameter("img_url", TextRule(may_be_empty=True), default=""),
    Parameter("image_strength", NumberRule(0, 1), default=0.6),
    WATERMARK,
    Parameter("controlnet_configs", ListRule(ObjectRule(CONTROL), most=3), default=[]),
    # As many as one likes (imgenstd.imgen.lora_limits).
    Parameter("lora_configs", ListRule(ObjectRule(LORA)), default=[]),
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    return [
        ("GET", "/v1/imgenstd/model_cn/{model_id}", list_controls),
        *build_task_rows(NAME, {"imgen": imgen}, listing=list_models),
    ]


async def list_models(call: MhapiCall) -> Any:
    """Checkpoints, built-in LoRAs and the account's own."""
    check_query_names(call.query, "size", "offset", "mtp", switches=call.switches)
    # Here the filter is mtp, in the listing of trainings it is type (imgenstd.models.filter_name).
    kind = read_query_choice(call.query, "mtp", ("LORA", "Checkpoint", "ALL"), "ALL")
    all_models = [*models.CHECKPOINTS, *models.LORAS, *await models.list_trained(call)]
    rows = [model.to_full_row() for model in all_models if kind in {"ALL", model.model_type}]
    return build_page(call.query, rows, zero_is_default=True)


async def list_controls(call: MhapiCall) -> Any:
    """The control types a base model supports (imgenstd.model_cn)."""
    check_query_names(call.query, "size", "offset", switches=call.switches)
    family = await _find_family(call, call.request.path_params["model_id"])
    supported = [kind for kind in CONTROL_NAMES if kind in family.controls]
    rows = [_build_control_row(kind) for kind in supported]
    return build_page(call.query, rows)


def _build_control_row(kind: str) -> dict[str, Any]:
    name, description = CONTROL_NAMES[kind]
    return {"cn": kind, "name": name, "description": description}


async def imgen(call: MhapiCall) -> Any:
    """Accept a generation (imgenstd.imgen)."""
    values = call.read_parameters(IMGEN)
    family = await _find_family(call, values["model_id"])
    controls = [_build_control(call, family, index, entry) for index, entry in enumerate(values["controlnet_configs"])]
    if values["img_url"] and models.IMAGE_TO_IMAGE not in family.kinds:
        raise invalid_parameter(f"image to image is not supported by {family.name}")
    # Before any picture is fetched: what the model cannot do is refused without waiting for links.
    profiles = [await _load_profile(call, family, values["model_id"], given) for given in values["lora_configs"]]
    source, *guides = await _fetch_images(call, values)
    arguments = {
        "prompt": values["prompt"],
        "seed": call.choose_seed(values["seed"]),
        "width": values["width"],
        "height": values["height"],
        "negative_prompt": values["neg_prompt"],
        "steps": values["steps"],
        "guidance": values["cfg_scale"],
        "source": source,
        "strength": values["image_strength"],
        "controls": [{**control, "image": guide} for control, guide in zip(controls, guides, strict=True)],
        "profiles": profiles,
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
        "samples": values["samples"],
    }
    facts = {name: values[name] for name in ("model_id", "force_translation", "add_prompt")}
    task = await call.accept(NAME, EngineTask(GENERATE, arguments), facts=facts)
    return build_submit_response(task.task_id)


async def _find_family(call: MhapiCall, model_id: str) -> models.EmulatedModelFamily:
    """The family of a base model; code 3 for a LoRA (imgenstd.model_cn.lora_error), code 5 for an unknown id."""
    if (family := models.FAMILY_OF.get(model_id)) is not None:
        return family
    if await models.find_lora(call, model_id) is not None:
        raise invalid_parameter("the model is a LoRA; please use its base model")
    raise MhapiHttpError(NOT_FOUND, f"model {model_id} does not exist")


def _build_control(call: MhapiCall, family: models.EmulatedModelFamily, index: int, values: Values) -> Values:
    """A control as the engine takes it, without its picture."""
    place = f"controlnet_configs[{index}]"
    kind = CONTROL_ALIASES.get(values["type"], values["type"])
    if kind not in family.controls:
        raise invalid_parameter(f"{place}.type {kind} is not supported by {family.name}")
    is_ordered = values["guidance_start"] <= values["guidance_end"]
    if kind == "canny":
        is_ordered = is_ordered and values["canny_low_threshold"] <= values["canny_high_threshold"]
    if not is_ordered and not call.switches.any_order:
        raise invalid_parameter(f"{place}: the lower value must not be above the higher one")
    return {
        "kind": kind,
        "weight": values["weight"],
        "pre_processor": _choose_pre_processor(kind, values["pre_processor"], place),
        "start": values["guidance_start"],
        "end": values["guidance_end"],
        "low": values["canny_low_threshold"],
        "high": values["canny_high_threshold"],
        "down_sample": values["tile_down_sample_rate"],
    }


def _choose_pre_processor(kind: str, name: str | None, place: str) -> str | None:
    allowed = PRE_PROCESSORS.get(kind, ("",))
    if name is None:
        return allowed[0] or None
    if name != PASS and name not in allowed:
        raise invalid_parameter(f"{place}.pre_processor {name} does not belong to {kind}")
    return name


async def _load_profile(call: MhapiCall, family: models.EmulatedModelFamily, base: str, values: Values) -> list[Any]:
    """A LoRA as the engine takes it: the name of a built-in one or the bytes of a trained one, and its weight."""
    if models.LORA not in family.kinds:
        raise invalid_parameter(f"LoRA is not supported by {family.name}")
    model = await models.find_lora(call, values["model_id"])
    if model is None:
        raise MhapiHttpError(NOT_FOUND, f"LoRA {values['model_id']} does not exist")
    if model.base_model_type != models.find_model(models.CHECKPOINTS, base).base_model_type:
        raise invalid_parameter(f"LoRA {model.id} belongs to {model.base_model_type}")
    return [await models.load_profile(call, model.id), values["merge_weight"]]


async def _fetch_images(call: MhapiCall, values: Values) -> list[bytes | None]:
    """The source, if any, and the guides of the controls."""
    guides = [
        call.fetch_source(entry["img_url"], f"controlnet_configs[{index}].img_url")
        for index, entry in enumerate(values["controlnet_configs"])
    ]
    if not values["img_url"]:
        return [None, *[source.data for source in await asyncio.gather(*guides)]]
    sources = await asyncio.gather(call.fetch_source(values["img_url"], "img_url"), *guides)
    return [source.data for source in sources]
