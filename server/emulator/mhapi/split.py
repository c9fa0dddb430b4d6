"""split: the subject separated from its background (contract: split.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.parameters import IMG_URL, MODEL_ID, ChoiceRule, NumberOrTextRule, Parameter
from atelier_mcp.server.emulator.mhapi.results import (
    build_model_list_handler,
    build_submit_response,
    build_task_rows,
)
from atelier_mcp.server.emulator.mhapi.sup_res import SMALL_SOURCE

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall

NAME: Final = "split"
MODELS: Final = (models.MhapiModelRow("split_v0.1", "Split 0.1", "Separates the subject from its background"),)

# There is no watermark_config here (split.imgen.watermark); hd_ratio changes nothing (split.imgen.hd_ratio).
IMGEN: Final = (
    MODEL_ID,
    IMG_URL,
    Parameter("hd_ratio", NumberOrTextRule(above=1, most=3), default=1.5),
    Parameter("format", ChoiceRule(("JPG", "PNG")), default="PNG"),
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service; the batch lookup is at its own path and at sup_res's, as printed."""
    return build_task_rows(NAME, {"imgen": imgen}, listing=build_model_list_handler(MODELS, all_fields=True))


async def imgen(call: MhapiCall) -> Any:
    """Accept a separation: a PNG with a transparent ground, or a JPG with a white one (split.imgen.output)."""
    values = call.read_parameters(IMGEN)
    models.find_model(MODELS, values["model_id"])
    source = await call.fetch_source(values["img_url"], "img_url", SMALL_SOURCE)
    arguments = {"image": source.data, "seed": call.choose_seed(), "file_format": values["format"]}
    task = await call.accept(NAME, EngineTask("segment", arguments))
    return build_submit_response(task.task_id)
