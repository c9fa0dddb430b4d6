"""Miaohua's models, its two catalogues of controls, and its forms (contract: models_*, cn_*, get_*_form)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.errors import MiaohuaApiResponse, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaCall

VENDOR: Final = "SenseTime"
DEFAULT_VERSION: Final = "sgl_artist_v0.3.5_0925"
PAGE_SIZE: Final = 20


@dataclass(frozen=True, slots=True)
class MiaohuaModelRow:
    """One line of a list."""

    versionid: str
    model_name: str
    model_id: int
    description: str = ""
    author: str = VENDOR
    base_model: str = ""
    is_opensource: bool = False
    tag: str = ""
    demo_picture: str = ""


BASES: Final = (
    MiaohuaModelRow(DEFAULT_VERSION, "Artist v0.3.5 0925", 1, "the vendor's own model"),
    MiaohuaModelRow("sgl_artist_v0.3.5", "Artist v0.3.5", 2, "the vendor's own model, first edition"),
    MiaohuaModelRow("sgl_artist_v0.3.5_turbo", "Artist v0.3.5 Turbo", 3, "in few steps: scale 1.2, 5 steps"),
    MiaohuaModelRow("sgl_artist_v0.3.0_beta", "Artist v0.3.0 Beta", 4, "older"),
    MiaohuaModelRow("sgl_artist_v0.1.3", "Artist_V0.1.3", 5, "older"),
    MiaohuaModelRow(
        "open_painter_v1", "Open Painter v1", 6, "a community model", author="community", is_opensource=True
    ),
)
BUILT_IN_LORAS: Final = {
    style: MiaohuaModelRow(f"lora_{style}", name, number, words, base_model="", tag="LORA")
    for number, (style, name, words) in enumerate(
        (
            ("watercolour", "Watercolour", "washes of colour on rough paper"),
            ("ink", "Ink", "brush and ink in few tones"),
            ("comic", "Comic", "flat colours and bold outlines"),
        ),
        start=101,
    )
}
"""By the name of the engine's style."""
FIRST_TRAINED_ID: Final = 1001

CONTROLS: Final = {
    "canny": ("Edges", "Keeps the edges of the reference picture."),
    "lineart": ("Line art", "Draws along the lines of the reference picture."),
    "lineart_anime": ("Anime line art", "Draws along lines as in animation."),
    "openpose": ("Pose", "Extracts a human pose from the reference picture and reuses it."),
    "tile": ("Tile", "Keeps the composition and adds detail."),
    "brightness": ("Brightness", "Keeps the distribution of light."),
    "depth": ("Depth", "Keeps what is near and what is far."),
    "normal": ("Normals", "Keeps how surfaces are turned."),
    "softedge": ("Soft edges", "Keeps the soft outlines."),
    "scribble": ("Scribble", "Draws along a rough sketch."),
    "seg": ("Segments", "Keeps the regions."),
    "mlsd": ("Straight lines", "Keeps straight lines."),
    "shuffle": ("Shuffle", "Takes over the colours."),
    "ip2p": ("Image conversion", "Edits parts of the picture according to a text instruction."),
}
ARTIST_CONTROLS: Final = ("canny", "lineart", "lineart_anime", "openpose", "tile", "brightness")
OPENSOURCE_CONTROLS: Final = (
    "canny", "lineart", "lineart_anime", "openpose", "tile", "depth", "normal", "softedge", "scribble", "seg", "mlsd",
    "shuffle", "ip2p",
)  # fmt: skip
SUBJECTS: Final = ("Style", "Human", "Architecture", "Plants", "Animals")
TRAINABLE: Final = (BASES[0], BASES[1], BASES[5])
AUTOMATIC: Final = frozenset({"", "自动选择"})
SIZES: Final = {
    "1:1": ["512x512", "640x640", "768x768", "1024x1024"],
    "2:3": ["512x768", "640x960", "768x1152", "1024x1536"],
    "3:2": ["768x512", "960x640", "1152x768", "1536x1024"],
}


def normalize_name(name: str) -> str:
    """A display name without case, spaces and underscores (task_submit.model_selector)."""
    return name.lower().replace(" ", "").replace("_", "")


def find_base(versionid: str, model_name: str) -> MiaohuaModelRow | None:
    """The base model of that version, or else of that name; the default when both are empty; None for an unknown."""
    if versionid:
        return next((model for model in BASES if model.versionid == versionid), None)
    if model_name:
        return next((model for model in BASES if normalize_name(model.model_name) == normalize_name(model_name)), None)
    return BASES[0]


def find_trainable(versionid: str, name: str) -> MiaohuaModelRow:
    """The base of a training; the service's choice when both are empty (train_submit.base_model_selector)."""
    if versionid in AUTOMATIC and name in AUTOMATIC:
        return BASES[0]
    for model in TRAINABLE:
        if model.versionid == versionid or (not versionid and normalize_name(model.model_name) == normalize_name(name)):
            return model
    raise invalid_parameter(f"base model {versionid or name} cannot be trained on")


def build_page(call: MiaohuaCall, models: Sequence[MiaohuaModelRow]) -> MiaohuaApiResponse:
    """One page of a list by the body's ``page``, ``per_page`` and ``query``."""
    number = call.parameters.read_integer("page", 1, least=1, most=1_000_000)
    size = call.parameters.read_integer("per_page", PAGE_SIZE, least=1, most=1000)
    query = call.parameters.read_text("query", "").lower()
    matches = [
        m for m in models if query in f"{m.model_name} {m.tag} {m.author} {m.base_model} {m.description}".lower()
    ]
    start = (number - 1) * size
    rows = [asdict(model) for model in matches[start : start + size]]
    return MiaohuaApiResponse(
        {"has_next": start + size < len(matches), "models": rows, "page": number, "per_page": size}
    )


async def list_bases(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The public base models (models_base)."""
    return build_page(call, BASES)


async def list_loras(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The public LoRAs (models_lora)."""
    return build_page(call, list(BUILT_IN_LORAS.values()))


async def list_artist_controls(_: MiaohuaCall) -> MiaohuaApiResponse:
    """The controls of the vendor's own models (cn_artist)."""
    return MiaohuaApiResponse([_build_control(name) for name in ARTIST_CONTROLS])


async def list_opensource_controls(_: MiaohuaCall) -> MiaohuaApiResponse:
    """The controls of open-source models (cn_opensource)."""
    return MiaohuaApiResponse([_build_control(name) for name in OPENSOURCE_CONTROLS])


async def list_controls(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The controls of one base model (cn_list)."""
    model = find_base(call.parameters.read_text("versionid"), "")
    if model is None:
        raise invalid_parameter("versionid is not a base model")
    names = OPENSOURCE_CONTROLS if model.is_opensource else ARTIST_CONTROLS
    return MiaohuaApiResponse([{"can_preview": True, **_build_control(name)} for name in names])


def _build_control(name: str) -> dict[str, Any]:
    """One entry; a missing preview is null, never a word (cn_list.string_none)."""
    local_name, words = CONTROLS[name]
    images = {"demo_picture": "", "demo_preview": None, "demo_result": ""}
    return {**images, "desc": words, "local_name": local_name, "name": name}


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
            "type": "str",
        },
    ]


def build_training_form() -> dict[str, Any]:
    """What can be trained on, under ASCII names (get_train_form.chinese_names)."""
    return {"base_model": [model.model_name for model in TRAINABLE], "main_body": list(SUBJECTS)}
