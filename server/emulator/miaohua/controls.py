"""Controls: the two catalogues of them, and what a task says of its own.

(contract: cn_*, task_submit.cn_configs_shape, conventions.controlnet_processors)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.errors import invalid_parameter
from atelier_mcp.server.emulator.miaohua.models import find_base

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall
    from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader

MOST_CONTROLS: Final = 3
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
PROCESSORS: Final[dict[str, tuple[str, ...]]] = {
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


def build_rows() -> list[CallRow]:
    """The catalogues; that of one base model is asked for with either method."""
    return [
        ("POST", "/cn/artist", list_artist_controls, ()),
        ("POST", "/cn/opensource", list_opensource_controls, ()),
        ("POST", "/cn/list", list_controls, ("versionid",)),
        ("GET", "/cn/list", list_controls, ("versionid",)),
    ]


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


async def read_controls(call: MiaohuaCall) -> list[dict[str, Any]]:
    """The controls as the engine takes them; the old single one counts where there are no others."""
    configs = call.parameters.read_objects("cn_configs")
    if len(configs) > MOST_CONTROLS:
        raise invalid_parameter(f"cn_configs has {len(configs)} entries, at most {MOST_CONTROLS} are allowed")
    if configs:
        return list(await asyncio.gather(*(_read_control(call, index, config) for index, config in enumerate(configs))))
    old = call.parameters.read_text("controlnet_model", "")
    if not old:
        return []
    name = call.parameters.read_choice("controlnet_model", OLD_NAMES)
    # With the old parameter the source is the guide, and there is no other picture.
    guide = await call.fetch_source(call.parameters.read_text("init_img"), "init_img")
    return [{"kind": OLD_CONTROLS.get(name, name), "image": guide.data}]


async def _read_control(call: MiaohuaCall, index: int, config: ParameterReader) -> dict[str, Any]:
    place = f"cn_configs[{index}]"
    # Of either catalogue, whatever the model (cn_artist.catalogue_choice).
    kind = config.read_choice("cn", CONTROLS)
    start, end = (config.read_number(n, d, least=0, most=1) for n, d in (("guidance_start", 0), ("guidance_end", 1)))
    if start > end:
        raise invalid_parameter(f"{place}: guidance_start is above guidance_end")
    guide = await call.fetch_source(config.read_text("img"), f"{place}.img")
    control = {
        "kind": kind,
        "image": guide.data,
        "weight": config.read_number("weight", least=0, most=2),
        "start": start,
        "end": end,
    }
    return control | _read_settings(kind, place, config.read_object("config"))


def _read_settings(kind: str, place: str, config: ParameterReader | None) -> dict[str, Any]:
    """The type's own settings (conventions.controlnet_processors)."""
    if config is None:
        return {}
    # The reference and its revision print other values (task_submit.high_threshold_sample).
    low = config.read_integer("low_threshold", 100, least=1, most=255)
    high = config.read_integer("high_threshold", 200, least=1, most=255)
    settings = {"low": low, "high": high, "down_sample": config.read_number("down_sample_rate", 1, least=1, most=8)}
    if kind == "canny" and low > high:
        raise invalid_parameter(f"{place}.config: low_threshold is above high_threshold")
    if not config.has("control_processor"):
        return settings
    processor = config.read_choice("control_processor", PROCESSORS.get(kind, ()))
    if (kind, processor) == ("lineart", "invert"):  # the engine inverts lines for its edges
        return settings | {"kind": "canny", "pre_processor": "invert"}
    return settings | {"pre_processor": ENGINE_PROCESSORS.get(processor, processor)}
