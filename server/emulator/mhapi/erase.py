"""erase: remove what a mask covers, or find the subject a rough mark means (contract: erase.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.parameters import (
    ANY_SOURCE,
    FORMAT,
    IMG_URL,
    MASK_IMG_URL,
    MODEL_ID,
    SAMPLES,
    WATERMARK,
    ChoiceRule,
    Parameter,
)
from atelier_mcp.server.emulator.mhapi.results import (
    build_model_list_handler,
    build_submit_response,
    build_task_rows,
)
from atelier_mcp.server.emulator.sources import SourceRule

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall

NAME: Final = "erase"
MODELS: Final = (models.MhapiModelRow("erase_v0.1", "Erase 0.1", "Removes what a mask covers and fills the place"),)
HEIF_SOURCE: Final = SourceRule(formats=ANY_SOURCE.formats | {"HEIF"})
MARKS: Final = ("smear", "box", "circle", "line", "point")

CUTOUT: Final = (
    MODEL_ID,
    IMG_URL,
    MASK_IMG_URL,
    FORMAT,
    WATERMARK,
    # No free here, and no samples: there is one mask (erase.cutout.mask_type, erase.cutout.samples).
    Parameter("mask_type", ChoiceRule(MARKS), default="smear"),
)
IMGEN: Final = (
    MODEL_ID,
    SAMPLES,
    IMG_URL,
    MASK_IMG_URL,
    Parameter("mask_type", ChoiceRule(("free", *MARKS)), default="free"),
    FORMAT,
    WATERMARK,
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    submits = {"cutout": cutout, "imgen": imgen}
    return build_task_rows(NAME, submits, listing=build_model_list_handler(MODELS, all_fields=False))


async def cutout(call: MhapiCall) -> Any:
    """Accept a search for the subject; it ends as one mask, black on the subject (erase.cutout.result).

    The mark of the watermark is recorded and not stamped: it would be part of the mask.
    """
    values = call.read_parameters(CUTOUT)
    models.find_model(MODELS, values["model_id"])
    source, mark = await call.fetch_source_and_mask(values, HEIF_SOURCE)
    arguments = {
        "image": source.data,
        "mark": mark.data,
        "kind": values["mask_type"],
        "seed": call.choose_seed(),
        "file_format": values["format"],
    }
    facts = {"watermark": values["watermark_config"]["type"]}
    task = await call.accept(NAME, EngineTask("cutout", arguments), facts=facts)
    return build_submit_response(task.task_id)


async def imgen(call: MhapiCall) -> Any:
    """Accept an erasure."""
    values = call.read_parameters(IMGEN)
    models.find_model(MODELS, values["model_id"])
    source, mask = await call.fetch_source_and_mask(values)
    arguments = {
        "image": source.data,
        "mask": mask.data,
        "seed": call.choose_seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    facts = {"mask_type": values["mask_type"]}
    task = await call.accept(NAME, EngineTask("erase", arguments), facts=facts)
    return build_submit_response(task.task_id)
