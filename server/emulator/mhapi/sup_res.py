"""sup_res: a picture enlarged (contract: sup_res.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import ANY_SOURCE, Call
from atelier_mcp.server.emulator.mhapi.fields import FORMAT, IMG_URL, MODEL_ID, WATERMARK, Field, Number
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.sources import SourceRule
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.world import World

NAME: Final = "sup_res"
MODELS: Final = (models.Model("super_resolution_v1", "Super resolution 1", "Enlarges a picture"),)
SMALL_SOURCE: Final = SourceRule(max_side_px=2000, formats=ANY_SOURCE.formats | {"HEIF"})

IMGEN: Final = (MODEL_ID, IMG_URL, Field("hd_ratio", Number(above=1, most=3), default=1.5), FORMAT, WATERMARK)


def routes(world: World) -> list[Route]:
    """The endpoints of the service; its batch lookup finds split's tasks too (split.results.path)."""
    listing = model_list(MODELS, all_fields=True)
    return task_routes(world, NAME, {"imgen": imgen}, listing=listing, batch_of=(NAME, "split"))


async def imgen(call: Call) -> Any:
    """Accept an enlargement: each side times the ratio, rounded to nearest (sup_res.imgen.rounding)."""
    values = call.read(IMGEN)
    models.find(MODELS, values["model_id"])
    source = await call.source(values["img_url"], "img_url", SMALL_SOURCE)
    order = {
        "picture": source.data,
        "ratio": values["hd_ratio"],
        "seed": call.seed(),
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:upscale", order))
    return accepted(task.task_id)
