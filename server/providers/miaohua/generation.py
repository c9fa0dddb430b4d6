"""How a generate_image request is made ready for Miaohua."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Model
from atelier_mcp.server.providers.choices import target_size
from atelier_mcp.server.providers.miaohua.catalogue import UNREADABLE_LIST, Listed, same_name
from atelier_mcp.server.providers.miaohua.controls import check_offered, planned_control
from atelier_mcp.server.providers.miaohua.errors import Rejected

if TYPE_CHECKING:
    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.miaohua.catalogue import Catalogue
    from atelier_mcp.server.requests.create import GenerateImage

PROMPT_CHARS = 1000
"""From the vendor's questions and answers (contract: task_submit.limits_only_elsewhere)."""
LARGEST_SEED = 9_999_999
DEFAULT_VERSION = "sgl_artist_v0.3.5_0925"


@dataclass(frozen=True, slots=True)
class Pace:
    """What a kind of base model is recommended to run with."""

    steps: int
    guidance: float


STANDARD = Pace(50, 7.0)
TURBO = Pace(5, 1.2)
"""Contract: timing.turbo_advice."""


async def plan_generation(
    request: GenerateImage, source: Header | None, catalogue: Catalogue
) -> tuple[GenerateImage, tuple[str, ...]]:
    """The request with model, steps, guidance, size and processors filled in, and what to tell about that.

    Raises ``InvalidRequest`` for what Miaohua or the chosen model cannot do.
    """
    if len(request.prompt) > PROMPT_CHARS:
        raise InvalidRequest(f"prompt: {len(request.prompt)} characters, Miaohua takes {PROMPT_CHARS}.")
    if request.seed is not None and request.seed > LARGEST_SEED:
        raise InvalidRequest(f"seed: at Miaohua it can be at most {LARGEST_SEED}.")
    lora = await _lora(request, catalogue)
    model = await _model(request, lora, catalogue)
    pace = TURBO if "turbo" in f"{model.model.id} {model.model.name}".lower() else STANDARD
    width, height = target_size(request, source)
    controls = tuple(planned_control(f"controls[{i}]", control) for i, control in enumerate(request.controls))
    planned = request.model_copy(
        update={
            "model": model.model.id,
            "loras": tuple(given.model_copy(update={"model": lora.id}) for given in request.loras) if lora else (),
            "controls": controls,
            "steps": request.steps or pace.steps,
            "guidance": request.guidance or pace.guidance,
            "width": width,
            "height": height,
        }
    )
    await _check_controls(planned, model, catalogue)
    return planned, _notes(request, planned)


async def _lora(request: GenerateImage, catalogue: Catalogue) -> Model | None:
    """The LoRA as it is listed; as it is named where the lists cannot be read."""
    if not request.loras:
        return None
    given, *more = request.loras
    if more:
        raise InvalidRequest("loras: Miaohua merges one LoRA and ignores any other; give one.")
    try:
        return (await catalogue.lora(given.model, place="loras[0].model")).model
    except UNREADABLE_LIST:
        return Model(given.model, "lora")


async def _model(request: GenerateImage, lora: Model | None, catalogue: Catalogue) -> Listed:
    """The base model asked for, else a sensible one; as it is named where the list cannot be read."""
    try:
        if request.model is None:
            return _chosen(await catalogue.checkpoints(), lora)
        chosen = await catalogue.checkpoint(request.model)
    except UNREADABLE_LIST:
        return Listed(Model(request.model or DEFAULT_VERSION, "checkpoint"))
    if lora is not None and lora.base and not _is_base(lora, chosen.model):
        raise InvalidRequest(f"loras[0].model: {lora.id} was made for {lora.base}, not for {chosen.model.id}.")
    return chosen


def _chosen(listed: tuple[Listed, ...], lora: Model | None) -> Listed:
    """The LoRA's own base, the documented default, or the first that is no turbo, the vendor's own before others."""
    if not listed:
        raise InvalidRequest("model: Miaohua lists no base model for this account.")
    own = [entry for entry in listed if lora is not None and lora.base and _is_base(lora, entry.model)]

    def rank(entry: Listed) -> tuple[bool, bool, bool]:
        turbo = "turbo" in f"{entry.model.id} {entry.model.name}".lower()
        return entry.model.id != DEFAULT_VERSION, turbo, bool(entry.opensource)

    return min(own or listed, key=rank)


def _is_base(lora: Model, model: Model) -> bool:
    return lora.base == model.id or same_name(lora.base, model.name)


async def _check_controls(request: GenerateImage, model: Listed, catalogue: Catalogue) -> None:
    if not request.controls:
        return
    try:
        offered = await catalogue.controls(model)
    except (*UNREADABLE_LIST, Rejected):
        return
    check_offered(request.controls, model.model.id, offered)


def _notes(request: GenerateImage, planned: GenerateImage) -> tuple[str, ...]:
    chosen = [
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None else "",
        f"guidance {planned.guidance:g}" if request.guidance is None else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    more = [
        ", ".join(part for part in chosen if part),
        "Miaohua chooses the file format itself" if request.format == "png" else "",
        "Miaohua puts no mark on pictures" if request.watermark == "logo" else "",
        "Miaohua reads Chinese and English and translates nothing" if request.translate_prompt else "",
    ]
    return tuple(note for note in more if note)
