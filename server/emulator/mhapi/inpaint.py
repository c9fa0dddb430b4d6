"""inpaint: the masked area redrawn from a prompt (contract: inpaint.*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    FORMAT,
    IMG_URL,
    MASK_IMG_URL,
    MODEL_ID,
    SAMPLES,
    SEED,
    STEPS,
    WATERMARK,
    FlagRule,
    NumberRule,
    Parameter,
    TextRule,
)
from atelier_mcp.server.emulator.mhapi.results import (
    build_model_list_handler,
    build_submit_response,
    build_task_rows,
)

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall

NAME: Final = "inpaint"
MODELS: Final = (models.MhapiModelRow("inpaint_v0.1", "Inpaint 0.1", "Redraws the masked area from a prompt"),)
LARGEST_PRINTED_SEED: Final = 9_999_998

IMGEN: Final = (
    MODEL_ID,
    SAMPLES,
    IMG_URL,
    MASK_IMG_URL,
    FORMAT,
    Parameter("prompt", TextRule(width=2000), required=True),
    Parameter("force_translation", FlagRule(), default=False),
    Parameter("add_prompt", FlagRule(), default=False),
    Parameter("neg_prompt", TextRule(width=2000, may_be_empty=True), default=""),
    Parameter("repaint_strength", NumberRule(0.1, 1), default=1),
    Parameter("cfg_scale", NumberRule(1, 20), default=8.0),
    SEED,
    STEPS,
    WATERMARK,
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service."""
    return build_task_rows(NAME, {"imgen": imgen}, listing=build_model_list_handler(MODELS, all_fields=True))


async def imgen(call: MhapiCall) -> Any:
    """Accept a repainting; the flags are stored, the prompt is never altered (inpaint.imgen.force_translation)."""
    values = call.read_parameters(IMGEN)
    models.find_model(MODELS, values["model_id"])
    if call.switches.narrow_inpaint_seed and values["seed"] > LARGEST_PRINTED_SEED:
        raise invalid_parameter(f"seed must be at most {LARGEST_PRINTED_SEED}")
    source, mask = await call.fetch_source_and_mask(values)
    arguments = {
        "image": source.data,
        "mask": mask.data,
        "prompt": values["prompt"],
        "negative_prompt": values["neg_prompt"],
        "strength": values["repaint_strength"],
        "seed": call.choose_seed(values["seed"]),
        "samples": values["samples"],
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    stored_names = ("force_translation", "add_prompt", "cfg_scale", "steps")
    facts = {name: values[name] for name in stored_names}
    task = await call.accept(NAME, EngineTask("inpaint", arguments), facts=facts)
    return build_submit_response(task.task_id)
