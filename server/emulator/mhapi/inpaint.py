"""inpaint: the masked area redrawn from a prompt (contract: inpaint.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import invalid
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    IMG_URL,
    MASK_IMG_URL,
    MODEL_ID,
    SAMPLES,
    SEED,
    STEPS,
    WATERMARK,
    Field,
    Flag,
    Number,
    Text,
)
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list, task_routes
from atelier_mcp.server.emulator.tasks import Order

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.mhapi.calls import Call
    from atelier_mcp.server.emulator.world import World

NAME: Final = "inpaint"
MODELS: Final = (models.Model("inpaint_v0.1", "Inpaint 0.1", "Redraws the masked area from a prompt"),)
LARGEST_PRINTED_SEED: Final = 9_999_998

IMGEN: Final = (
    MODEL_ID,
    SAMPLES,
    IMG_URL,
    MASK_IMG_URL,
    FORMAT,
    Field("prompt", Text(width=2000), required=True),
    Field("force_translation", Flag(), default=False),
    Field("add_prompt", Flag(), default=False),
    Field("neg_prompt", Text(width=2000, may_be_empty=True), default=""),
    Field("repaint_strength", Number(0.1, 1), default=1),
    Field("cfg_scale", Number(1, 20), default=8.0),
    SEED,
    STEPS,
    WATERMARK,
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service."""
    return task_routes(world, NAME, {"imgen": imgen}, listing=model_list(MODELS, all_fields=True))


async def imgen(call: Call) -> Any:
    """Accept a repainting; the flags are stored, the prompt is never altered (inpaint.imgen.force_translation)."""
    values = call.read(IMGEN)
    models.find(MODELS, values["model_id"])
    if call.switches.narrow_inpaint_seed and values["seed"] > LARGEST_PRINTED_SEED:
        raise invalid(f"seed must be at most {LARGEST_PRINTED_SEED}")
    source, mask = await call.source_and_mask(values)
    order = {
        "picture": source.data,
        "mask": mask.data,
        "prompt": values["prompt"],
        "negative_prompt": values["neg_prompt"],
        "strength": values["repaint_strength"],
        "seed": call.seed(values["seed"]),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    stored = ("force_translation", "add_prompt", "cfg_scale", "steps")
    facts = {name: values[name] for name in stored}
    task = await call.accept(NAME, Order("atelier_mcp.server.engine.studio:inpaint", order), facts=facts)
    return accepted(task.task_id)
