"""sup_res: a picture enlarged (contract: sup_res.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.parameters import (
    ANY_SOURCE,
    FORMAT,
    IMG_URL,
    MODEL_ID,
    WATERMARK,
    NumberRule,
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

NAME: Final = "sup_res"
MODELS: Final = (models.MhapiModelRow("super_resolution_v1", "Super resolution 1", "Enlarges a picture"),)
SMALL_SOURCE: Final = SourceRule(max_side_px=2000, formats=ANY_SOURCE.formats | {"HEIF"})

# No samples: there is one image, with index 0 (sup_res.imgen.samples).
IMGEN: Final = (MODEL_ID, IMG_URL, Parameter("hd_ratio", NumberRule(above=1, most=3), default=1.5), FORMAT, WATERMARK)


def build_rows() -> list[CallRow]:
    """The endpoints of the service; its batch lookup finds split's tasks too (split.results.path)."""
    listing = build_model_list_handler(MODELS, all_fields=True)
    return build_task_rows(NAME, {"imgen": imgen}, listing=listing, batch_services=(NAME, "split"))


async def imgen(call: MhapiCall) -> Any:
    """Accept an enlargement: each side times the ratio, rounded to nearest (sup_res.imgen.rounding)."""
    values = call.read_parameters(IMGEN)
    models.find_model(MODELS, values["model_id"])
    source = await call.fetch_source(values["img_url"], "img_url", SMALL_SOURCE)
    arguments = {
        "image": source.data,
        "ratio": values["hd_ratio"],
        "seed": call.choose_seed(),
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    task = await call.accept(NAME, EngineTask("upscale", arguments))
    return build_submit_response(task.task_id)
