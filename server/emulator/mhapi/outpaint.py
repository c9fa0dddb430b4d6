"""outpaint: a picture continued beyond its borders, in its ratio or on any canvas (contract: outpaint.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import ANY_SOURCE, Call
from atelier_mcp.server.emulator.mhapi.errors import invalid
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    IMG_URL,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    WATERMARK,
    Choice,
    Field,
    Integer,
    Number,
    Values,
)
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.sources import Source, SourceRule, ratio_matches
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.world import World

NAME: Final = "outpaint"
MODELS: Final = (models.Model("outpaint_v0.1", "Outpaint 0.1", "Continues a picture beyond its borders"),)
LARGEST_SIDE: Final = 6000
STEP_PX: Final = 8
FREE_SOURCE: Final = SourceRule(open_end=True, formats=ANY_SOURCE.formats | {"HEIF", "TIFF"})

# Where the source lies, as shares of the room to its left and above it.
ALIGNED: Final = {
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
    Field("outpaint_ratio", Number(above=1, most=5), default=1.5),
    Field("height", OUTPUT_SIDE),
    Field("width", OUTPUT_SIDE),
    Field("align_position", Choice(tuple(ALIGNED))),
    Field("type", Choice(tuple(ALIGNED))),
    FORMAT,
    WATERMARK,
)
IMGEN_FREE: Final = (
    MODEL_ID,
    IMG_URL,
    SAMPLES,
    Field("height", OUTPUT_SIDE, required=True),
    Field("width", OUTPUT_SIDE, required=True),
    Field("free_x", Integer(0, 6000), default=0),
    Field("free_y", Integer(0, 6000), default=0),
    FORMAT,
    WATERMARK,
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    submits = {"imgen": imgen, "imgen_free": imgen_free}
    return task_routes(world, NAME, submits, listing=model_list(MODELS, all_fields=False))


async def imgen(call: Call) -> Any:
    """Accept an extension in the source's ratio."""
    values = call.read(IMGEN)
    models.find(MODELS, values["model_id"])
    source = await call.source(values["img_url"], "img_url")
    width, height = canvas(source, values)
    across, down = ALIGNED[values["align_position"] or values["type"] or "middle"]
    left, top = round((width - source.width) * across), round((height - source.height) * down)
    return await _accept(call, values, source, canvas=(width, height), offset=(left, top))


async def imgen_free(call: Call) -> Any:
    """Accept an extension to any canvas; sides and offsets are rounded down (outpaint.imgen_free.multiples)."""
    values = call.read(IMGEN_FREE)
    models.find(MODELS, values["model_id"])
    source = await call.source(values["img_url"], "img_url", FREE_SOURCE)
    width, height, left, top = (values[name] // STEP_PX * STEP_PX for name in ("width", "height", "free_x", "free_y"))
    spare = 0 if call.switches.equal_canvas else 1
    if width < source.width + left + spare:
        raise invalid(f"width must be greater than {source.width + left}")
    if height < source.height + top + spare:
        raise invalid(f"height must be greater than {source.height + top}")
    return await _accept(call, values, source, canvas=(width, height), offset=(left, top))


def canvas(source: Source, values: Values) -> tuple[int, int]:
    """Width and height of the result: both sides if given, else the ratio (outpaint.imgen.size_precedence, .cap)."""
    width, height = values["width"], values["height"]
    if (width is None) != (height is None):
        raise invalid("width and height must be given together")
    if width is None:
        scale = min(values["outpaint_ratio"], LARGEST_SIDE / max(source.width, source.height))
        width, height = round(source.width * scale), round(source.height * scale)
    elif not ratio_matches(width, height, source):
        raise invalid("width and height must keep the ratio of the source within 1 %")
    if width <= source.width or height <= source.height:
        raise invalid(f"{width}x{height} is not larger than the source")
    return width, height


async def _accept(
    call: Call, values: Values, source: Source, *, canvas: tuple[int, int], offset: tuple[int, int]
) -> dict[str, str]:
    left, top = offset
    order = {
        "picture": source.data,
        "left": left,
        "top": top,
        "right": canvas[0] - source.width - left,
        "bottom": canvas[1] - source.height - top,
        "seed": call.seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:outpaint", order))
    return accepted(task.task_id)
