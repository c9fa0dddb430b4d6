"""split: the subject separated from its background (contract: split.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.fields import IMG_URL, MODEL_ID, Choice, Field, NumberOrText
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.mhapi.sup_res import SMALL_SOURCE
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.mhapi.calls import Call
    from atelier_mcp.server.emulator.world import World

NAME: Final = "split"
MODELS: Final = (models.Model("split_v0.1", "Split 0.1", "Separates the subject from its background"),)

# There is no watermark_config here (split.imgen.watermark); hd_ratio changes nothing (split.imgen.hd_ratio).
IMGEN: Final = (
    MODEL_ID,
    IMG_URL,
    Field("hd_ratio", NumberOrText(above=1, most=3), default=1.5),
    Field("format", Choice(("JPG", "PNG")), default="PNG"),
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service; the batch lookup is at its own path and at sup_res's, as printed."""
    return task_routes(world, NAME, {"imgen": imgen}, listing=model_list(MODELS, all_fields=True))


async def imgen(call: Call) -> Any:
    """Accept a separation: a PNG with a transparent ground, or a JPG with a white one (split.imgen.output)."""
    values = call.read(IMGEN)
    models.find(MODELS, values["model_id"])
    source = await call.source(values["img_url"], "img_url", SMALL_SOURCE)
    order = {"picture": source.data, "seed": call.seed(), "file_format": values["format"]}
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:segment", order))
    return accepted(task.task_id)
