"""stylization: a picture redrawn in the style of a model, at once or later (contract: stylization.*)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import INTERNAL, MhapiHttpError, invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    FORMAT,
    MODEL_ID,
    OUTPUT_SIDE,
    SAMPLES,
    WATERMARK,
    ChoiceRule,
    Parameter,
    ParameterTable,
    TextRule,
    Values,
    read_query_choice,
)
from atelier_mcp.server.emulator.mhapi.results import (
    build_encoded_result,
    build_linked_result,
    build_model_list_handler,
    build_submit_response,
    build_task_rows,
)
from atelier_mcp.server.emulator.sources import SourceError, SourceImage, decode_base64, has_ratio

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall
    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskView

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
    models.MhapiModelRow(f"{PREFIX}{style}", style.replace("_", " ").capitalize(), f"Redraws a picture as {words}")
    for style, words in STYLES.items()
)
# Of the text, not of what it stands for (stylization.base64_size).
LONGEST_BASE64: Final = 7_340_032
GET_TYPES: Final = ("url", "base64")

IMGEN: Final[ParameterTable] = (
    SAMPLES,
    Parameter("height", OUTPUT_SIDE),
    Parameter("width", OUTPUT_SIDE),
    MODEL_ID,
    FORMAT,
    Parameter("img_url", TextRule(may_be_empty=True), default=""),
    Parameter("img_base64", TextRule(may_be_empty=True), default=""),
    WATERMARK,
)
IMGEN_SYNC: Final[ParameterTable] = (*IMGEN, Parameter("get_type", ChoiceRule(GET_TYPES)))


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    submits = {"imgen": imgen, "imgen_sync": imgen_sync}
    return build_task_rows(
        NAME,
        submits,
        listing=build_model_list_handler(MODELS, all_fields=False),
        build_result=build_requested_result,
    )


async def imgen(call: MhapiCall) -> Any:
    """Accept a restyling."""
    return build_submit_response((await _accept(call, call.read_parameters(IMGEN))).task_id)


async def imgen_sync(call: MhapiCall) -> Any:
    """Restyle and answer with the pictures, without seed and state_message (stylization.imgen_sync.state_values)."""
    values = call.read_parameters(IMGEN_SYNC)
    task = await _accept(call, values)
    await asyncio.sleep(call.switches.sync_seconds)
    view = await call.emulator.tasks.finish(task)
    # There is no FAILED in an answer of this call, only an error.
    if view.outcome is not None and view.outcome.failed:
        raise MhapiHttpError(INTERNAL, view.outcome.failed)
    get_type = values["get_type"] or read_query_choice(call.query, "get_type", GET_TYPES, "url")
    result = await (build_encoded_result if get_type == "base64" else build_linked_result)(call, view)
    images = [{name: image[name] for name in image if name != "seed"} for image in result["images"]]
    return {"state": result["state"], "task_id": result["task_id"], "images": images}


async def build_requested_result(call: MhapiCall, view: TaskView) -> dict[str, Any]:
    """A result with links or data URLs; get_type is read from the query, then the body (.results.get_type_place)."""
    get_type = call.request.query_params.get("get_type", call.body.get("get_type", "url"))
    if get_type not in GET_TYPES:
        raise invalid_parameter(f"get_type must be one of {', '.join(GET_TYPES)}")
    return await (build_encoded_result if get_type == "base64" else build_linked_result)(call, view)


async def _accept(call: MhapiCall, values: Values) -> TaskRecord:
    model = models.find_model(MODELS, values["model_id"])
    source = await _read_source(call, values)
    width, height = values["width"], values["height"]
    if (width is None) != (height is None):
        raise invalid_parameter("width and height must be given together")
    if width is not None and not has_ratio(width, height, source):
        raise invalid_parameter("width and height must keep the ratio of the source")
    arguments = {
        "image": source.data,
        "style": model.id.removeprefix(PREFIX),
        "width": width or source.width,
        "height": height or source.height,
        "seed": call.choose_seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    return await call.accept(NAME, EngineTask("stylise", arguments))


async def _read_source(call: MhapiCall, values: Values) -> SourceImage:
    """The link's picture, or the encoded one where there is no link (stylization.imgen.source_required)."""
    if values["img_url"]:
        return await call.fetch_source(values["img_url"], "img_url")
    if not values["img_base64"]:
        raise invalid_parameter("img_url or img_base64 is required")
    if len(values["img_base64"]) > LONGEST_BASE64:
        raise invalid_parameter(f"img_base64 is longer than {LONGEST_BASE64} characters")
    try:
        data = decode_base64(values["img_base64"])
    except SourceError as err:
        raise invalid_parameter(f"img_base64 {err}") from err
    return await call.check_source(data, "img_base64")
