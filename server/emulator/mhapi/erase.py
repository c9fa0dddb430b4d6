"""erase: remove what a mask covers, or find the subject a rough mark means (contract: erase.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import ANY_SOURCE, Call
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    IMG_URL,
    MASK_IMG_URL,
    MODEL_ID,
    SAMPLES,
    WATERMARK,
    Choice,
    Field,
)
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.sources import SourceRule
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.world import World

NAME: Final = "erase"
MODELS: Final = (models.Model("erase_v0.1", "Erase 0.1", "Removes what a mask covers and fills the place"),)
HEIF_TOO: Final = SourceRule(formats=ANY_SOURCE.formats | {"HEIF"})
MARKS: Final = ("smear", "box", "circle", "line", "point")

CUTOUT: Final = (
    MODEL_ID,
    IMG_URL,
    MASK_IMG_URL,
    FORMAT,
    WATERMARK,
    Field("mask_type", Choice(MARKS), default="smear"),
)
IMGEN: Final = (
    MODEL_ID,
    SAMPLES,
    IMG_URL,
    MASK_IMG_URL,
    Field("mask_type", Choice(("free", *MARKS)), default="free"),
    FORMAT,
    WATERMARK,
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    submits = {"cutout": cutout, "imgen": imgen}
    return task_routes(world, NAME, submits, listing=model_list(MODELS, all_fields=False))


async def cutout(call: Call) -> Any:
    """Accept a search for the subject; it ends as one mask, black on the subject (erase.cutout.result).

    The mark of the watermark is recorded and not stamped: it would be part of the mask.
    """
    values = call.read(CUTOUT)
    models.find(MODELS, values["model_id"])
    source, mark = await call.source_and_mask(values, HEIF_TOO)
    order = {
        "picture": source.data,
        "mark": mark.data,
        "kind": values["mask_type"],
        "seed": call.seed(),
        "file_format": values["format"],
    }
    facts = {"watermark": values["watermark_config"]["type"]}
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:cutout", order), facts=facts)
    return accepted(task.task_id)


async def imgen(call: Call) -> Any:
    """Accept an erasure."""
    values = call.read(IMGEN)
    models.find(MODELS, values["model_id"])
    source, mask = await call.source_and_mask(values)
    order = {
        "picture": source.data,
        "mask": mask.data,
        "seed": call.seed(),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    facts = {"mask_type": values["mask_type"]}
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:erase", order), facts=facts)
    return accepted(task.task_id)
