"""stylization: a picture redrawn in the style of a model, at once or later (contract: stylization.*)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import INTERNAL, Refused, invalid
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    WATERMARK,
    Choice,
    Field,
    Fields,
    Text,
    Values,
)
from atelier_mcp.server.emulator.mhapi.results import encoded_pictures, pictures
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.sources import Source, SourceRefused, from_base64, ratio_matches
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.mhapi.calls import Call
    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import View
    from atelier_mcp.server.emulator.world import World

NAME: Final = "stylization"
STYLES: Final = {
    "oil": "thick oil paint",
    "watercolour": "washes of colour on rough paper",
    "pencil": "graphite on paper",
    "colour_pencil": "coloured pencils on paper",
    "ink": "brush and ink in few tones",
    "pixel": "a small palette in large pixels",
    "poster": "flat colours of a screen print",
    "comic": "flat colours and bold outlines",
    "duotone": "two inks",
    "vintage": "a faded photograph",
}
PREFIX: Final = "style_"
MODELS: Final = tuple(
    models.Model(f"{PREFIX}{style}", style.replace("_", " ").capitalize(), f"Redraws a picture as {words}")
    for style, words in STYLES.items()
)
LONGEST_BASE64: Final = 7_340_032
GET_TYPES: Final = ("url", "base64")

IMGEN: Final[Fields] = (
    SAMPLES,
    Field("height", OUTPUT_SIDE),
    Field("width", OUTPUT_SIDE),
    MODEL_ID,
    FORMAT,
    Field("img_url", Text(may_be_empty=True), default=""),
    Field("img_base64", Text(may_be_empty=True), default=""),
    WATERMARK,
)
IMGEN_SYNC: Final[Fields] = (*IMGEN, Field("get_type", Choice(GET_TYPES)))


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    submits = {"imgen": imgen, "imgen_sync": imgen_sync}
    return task_routes(world, NAME, submits, listing=model_list(MODELS, all_fields=False), shape=shaped)


async def imgen(call: Call) -> Any:
    """Accept a restyling."""
    return accepted((await _accept(call, call.read(IMGEN))).task_id)


async def imgen_sync(call: Call) -> Any:
    """Restyle and answer with the pictures, without seed and state_message (stylization.imgen_sync.state_values)."""
    values = call.read(IMGEN_SYNC)
    task = await _accept(call, values)
    await asyncio.sleep(call.switches.sync_seconds)
    view = await call.world.tasks.finish(task)
    if view.outcome is not None and view.outcome.failed:
        raise Refused(INTERNAL, view.outcome.failed)
    get_type = values["get_type"] or models.choice(call, "get_type", GET_TYPES, "url")
    result = await (encoded_pictures if get_type == "base64" else pictures)(call, view)
    images = [{name: image[name] for name in image if name != "seed"} for image in result["images"]]
    return {"state": result["state"], "task_id": result["task_id"], "images": images}


async def shaped(call: Call, view: View) -> dict[str, Any]:
    """A result with links or data URLs; get_type is read from the query, then the body (.results.get_type_place)."""
    asked = call.request.query_params.get("get_type", call.body.get("get_type", "url"))
    if asked not in GET_TYPES:
        raise invalid(f"get_type must be one of {', '.join(GET_TYPES)}")
    return await (encoded_pictures if asked == "base64" else pictures)(call, view)


async def _accept(call: Call, values: Values) -> Task:
    model = models.find(MODELS, values["model_id"])
    source = await _source(call, values)
    width, height = values["width"], values["height"]
    if (width is None) != (height is None):
        raise invalid("width and height must be given together")
    if width is not None and not ratio_matches(width, height, source):
        raise invalid("width and height must keep the ratio of the source")
    order = {
        "picture": source.data,
        "style": model.id.removeprefix(PREFIX),
        "width": width or source.width,
        "height": height or source.height,
        "seed": call.seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    return await call.accept(NAME, Order("atelier_mcp.server.engine.studio:stylise", order))


async def _source(call: Call, values: Values) -> Source:
    """The link's picture, or the encoded one where there is no link (stylization.imgen.source_required)."""
    if values["img_url"]:
        return await call.source(values["img_url"], "img_url")
    if not values["img_base64"]:
        raise invalid("img_url or img_base64 is required")
    if len(values["img_base64"]) > LONGEST_BASE64:
        raise invalid(f"img_base64 is longer than {LONGEST_BASE64} characters")
    try:
        data = from_base64(values["img_base64"])
    except SourceRefused as err:
        raise invalid(f"img_base64 {err}") from err
    return await call.source_of(data, "img_base64")
