"""outpaint: a picture continued beyond its borders, in its ratio or on any canvas (contract: outpaint.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    ANY_SOURCE,
    FORMAT,
    IMG_URL,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    WATERMARK,
    ChoiceRule,
    IntegerRule,
    NumberRule,
    Parameter,
    Values,
)
from atelier_mcp.server.emulator.mhapi.results import (
    build_model_list_handler,
    build_submit_response,
    build_task_rows,
)
from atelier_mcp.server.emulator.sources import SourceImage, SourceRule, has_ratio

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall

NAME: Final = "outpaint"
MODELS: Final = (models.MhapiModelRow("outpaint_v0.1", "Outpaint 0.1", "Continues a picture beyond its borders"),)
LARGEST_SIDE: Final = 6000
STEP_PX: Final = 8
FREE_SOURCE: Final = SourceRule(open_end=True, formats=ANY_SOURCE.formats | {"HEIF", "TIFF"})

# Where the source lies, as shares of the room to its left and above it.
ALIGNMENTS: Final = {
    "topleft": (0.0, 0.0),
    "topmiddle": (0.5, 0.0),
    "topright": (1.0, 0.0),
    "middleleft": (0.0, 0.5),
    "middle": (0.5, 0.5),
    "middleright": (1.0, 0.5),
    "bottomleft": (0.0, 1.0),
    "bottommiddle": (0.5, 1.0),
    "bottomright": (1.0, 1.0),
}
IMGEN: Final = (
    MODEL_ID,
    IMG_URL,
    SAMPLES,
    Parameter("outpaint_ratio", NumberRule(above=1, most=5), default=1.5),
    Parameter("height", OUTPUT_SIDE),
    Parameter("width", OUTPUT_SIDE),
    # Two names of one thing; the first wins where they differ (outpaint.imgen.align_name).
    Parameter("align_position", ChoiceRule(tuple(ALIGNMENTS))),
    Parameter("type", ChoiceRule(tuple(ALIGNMENTS))),
    FORMAT,
    WATERMARK,
)
IMGEN_FREE: Final = (
    MODEL_ID,
    IMG_URL,
    SAMPLES,
    Parameter("height", OUTPUT_SIDE, required=True),
    Parameter("width", OUTPUT_SIDE, required=True),
    # Whole numbers written as such; 8.0 is refused (outpaint.imgen_free.integer_type).
    Parameter("free_x", IntegerRule(0, 6000), default=0),
    Parameter("free_y", IntegerRule(0, 6000), default=0),
    FORMAT,
    WATERMARK,
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    submits = {"imgen": imgen, "imgen_free": imgen_free}
    return build_task_rows(NAME, submits, listing=build_model_list_handler(MODELS, all_fields=False))


async def imgen(call: MhapiCall) -> Any:
    """Accept an extension in the source's ratio."""
    values = call.read_parameters(IMGEN)
    models.find_model(MODELS, values["model_id"])
    source = await call.fetch_source(values["img_url"], "img_url")
    width, height = compute_canvas(source, values)
    across, down = ALIGNMENTS[values["align_position"] or values["type"] or "middle"]
    left, top = round((width - source.width) * across), round((height - source.height) * down)
    return await _accept(call, values, source, canvas=(width, height), offset=(left, top))


async def imgen_free(call: MhapiCall) -> Any:
    """Accept an extension to any canvas; sides and offsets are rounded down (outpaint.imgen_free.multiples)."""
    values = call.read_parameters(IMGEN_FREE)
    models.find_model(MODELS, values["model_id"])
    source = await call.fetch_source(values["img_url"], "img_url", FREE_SOURCE)
    width, height, left, top = (values[name] // STEP_PX * STEP_PX for name in ("width", "height", "free_x", "free_y"))
    # "Must exceed" is read strictly: at least one pixel of each side is new
    # (contract: outpaint.imgen_free.strictly_greater).
    spare = 0 if call.switches.equal_canvas else 1
    if width < source.width + left + spare:
        raise invalid_parameter(f"width must be greater than {source.width + left}")
    if height < source.height + top + spare:
        raise invalid_parameter(f"height must be greater than {source.height + top}")
    return await _accept(call, values, source, canvas=(width, height), offset=(left, top))


def compute_canvas(source: SourceImage, values: Values) -> tuple[int, int]:
    """Width and height of the result: both sides if given, else the ratio (outpaint.imgen.size_precedence, .cap)."""
    width, height = values["width"], values["height"]
    if (width is None) != (height is None):
        raise invalid_parameter("width and height must be given together")
    if width is None:
        scale = min(values["outpaint_ratio"], LARGEST_SIDE / max(source.width, source.height))
        # No floor: a small source gives a small result (outpaint.imgen.small_result).
        width, height = round(source.width * scale), round(source.height * scale)
    elif not has_ratio(width, height, source):
        raise invalid_parameter("width and height must keep the ratio of the source within 1 %")
    # A source of 6000 pixels has no room left, whatever the ratio.
    if width <= source.width or height <= source.height:
        raise invalid_parameter(f"{width}x{height} is not larger than the source")
    return width, height


async def _accept(
    call: MhapiCall, values: Values, source: SourceImage, *, canvas: tuple[int, int], offset: tuple[int, int]
) -> dict[str, str]:
    left, top = offset
    arguments = {
        "image": source.data,
        "left": left,
        "top": top,
        "right": canvas[0] - source.width - left,
        "bottom": canvas[1] - source.height - top,
        "seed": call.choose_seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    task = await call.accept(NAME, EngineTask("outpaint", arguments))
    return build_submit_response(task.task_id)
