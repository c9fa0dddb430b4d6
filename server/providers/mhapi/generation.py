"""How a generate_image request is made ready for MHAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ImageRule, Model, Plan
from atelier_mcp.server.providers.choices import target_size
from atelier_mcp.server.providers.mhapi.catalogue import Catalogue, family_of_model
from atelier_mcp.server.providers.mhapi.checks import (
    NEARLY_ZERO,
    RULE,
    UNREADABLE_LIST,
    check_seed,
    check_width,
    seed_notes,
    unlisted,
)
from atelier_mcp.server.providers.mhapi.controls import check_offered, planned_control
from atelier_mcp.server.providers.mhapi.families import CONTROL, IMAGE, LORA, PREFERRED, TEXT, VERSATILE, Family, able
from atelier_mcp.server.providers.mhapi.families import family_of as family_of_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.requests.create import GenerateImage


@dataclass(frozen=True, slots=True)
class _Lists:
    """What the account can use; ``readable`` is False where the lists could not be read."""

    checkpoints: tuple[Model, ...] = ()
    loras: tuple[Model, ...] = ()
    readable: bool = True

    def named(self, name: str) -> Model | None:
        both = (*self.checkpoints, *self.loras)
        by_id = [model for model in both if model.id == name]
        return next(iter(by_id or [model for model in both if model.name.lower() == name.lower()]), None)


async def plan_generation(request: GenerateImage, pictures: Mapping[str, Header], catalogue: Catalogue) -> Plan:
    """The request with model, steps, guidance, size and pre-processors filled in.

    Raises ``InvalidRequest`` for what the chosen model cannot do.
    """
    check_seed(request.seed, request.samples)
    lists = await _lists(request, catalogue)
    loras = _loras(request, lists)
    model, family = _model(request, lists, loras)
    width, height = target_size(request, pictures.get("image"))
    changes: dict[str, Any] = {
        "model": model.id,
        "prompt": _with_triggers(request.prompt, loras),
        "loras": tuple(
            given.model_copy(update={"model": lora.id}) for given, lora in zip(request.loras, loras, strict=True)
        ),
        "controls": tuple(planned_control(f"controls[{i}]", control) for i, control in enumerate(request.controls)),
        "width": width,
        "height": height,
        **_pace(request, family),
    }
    if request.image is not None and request.strength == 0:
        changes["strength"] = NEARLY_ZERO
    planned = request.model_copy(update=changes)
    check_width("prompt", planned.prompt)
    check_width("negative_prompt", planned.negative_prompt)
    await _check_controls(planned, model, catalogue)
    return Plan(planned, _rules(planned), _notes(request, planned, lists, family))


async def _lists(request: GenerateImage, catalogue: Catalogue) -> _Lists:
    """Both lists; read again when a name is not in them, for it may be new."""
    names = [name for name in (request.model, *(lora.model for lora in request.loras)) if name]
    lists = _Lists()
    for renew in (False, True):
        try:
            lists = _Lists(await catalogue.all("checkpoint", renew=renew), await catalogue.all("lora", renew=renew))
        except UNREADABLE_LIST:
            if request.model is None:
                raise
            return _Lists(readable=False)
        if all(lists.named(name) for name in names):
            break
    return lists


def _loras(request: GenerateImage, lists: _Lists) -> list[Model]:
    found: list[Model] = []
    for index, given in enumerate(request.loras):
        lora = lists.named(given.model) if lists.readable else Model(given.model, "lora")
        if lora is None:
            raise unlisted(f"loras[{index}].model", given.model, lists.loras)
        if lora.kind != "lora":
            raise InvalidRequest(f"loras[{index}].model: {given.model} is a checkpoint; give it as model.")
        if lora.id in [other.id for other in found]:
            raise InvalidRequest(f"loras[{index}].model: {given.model} is given twice.")
        found.append(lora)
    return found


def _model(request: GenerateImage, lists: _Lists, loras: Sequence[Model]) -> tuple[Model, Family | None]:
    if request.model is None:
        model = _chosen(_needs(request), lists, loras)
    elif not lists.readable:
        model = Model(request.model, "checkpoint")
    else:
        model = _named(request.model, lists)
    for index, lora in enumerate(loras):
        if not _same_base(lora, model):
            raise InvalidRequest(
                f"loras[{index}].model: {lora.id} was made for {lora.base or 'another base'}, not for {model.id}."
            )
    return model, family_of_model(model)


def _named(name: str, lists: _Lists) -> Model:
    model = lists.named(name)
    if model is None:
        raise unlisted("model", name, lists.checkpoints)
    if model.kind == "lora":
        raise InvalidRequest(f"model: {name} is a LoRA; give it in loras and a checkpoint as model.")
    return model


def _chosen(needs: frozenset[str], lists: _Lists, loras: Sequence[Model]) -> Model:
    """The checkpoint most likely to do what is asked; the vendor's support table is a hint, unknown comes after it."""
    order = PREFERRED if needs == frozenset({TEXT}) else VERSATILE
    ranked: list[tuple[tuple[bool, int], Model]] = []
    for model in lists.checkpoints:
        family = family_of_model(model)
        can = able(family, needs)
        if can is not False and model.kind == "checkpoint" and all(_same_base(lora, model) for lora in loras):
            place = order.index(family.name) if family and family.name in order else len(order)
            ranked.append(((can is not True, place), model))
    if not ranked:
        wanted = " and ".join(sorted(needs))
        raise InvalidRequest(f"model: no listed checkpoint is known to do {wanted}; name one.", then="See list_models.")
    return min(ranked, key=lambda item: item[0])[1]


def _needs(request: GenerateImage) -> frozenset[str]:
    asked = {IMAGE: request.image is not None, CONTROL: bool(request.controls), LORA: bool(request.loras)}
    return frozenset(need for need, wanted in asked.items() if wanted) or frozenset({TEXT})


def _same_base(lora: Model, model: Model) -> bool:
    """False only where both bases are known and differ."""
    if lora.base and model.base:
        return lora.base.lower() == model.base.lower()
    ours, theirs = family_of_names(lora.base), family_of_model(model)
    return ours is None or theirs is None or ours == theirs


def _with_triggers(prompt: str, loras: Sequence[Model]) -> str:
    """The prompt with the LoRAs' trigger words that are not in it yet (contract: imgenstd.imgen.lora_limits)."""
    for lora in loras:
        for word in (part.strip() for part in lora.triggers.split(",")):
            if word and word.lower() not in prompt.lower():
                prompt = f"{prompt}, {word}"
    return prompt


def _pace(request: GenerateImage, family: Family | None) -> dict[str, Any]:
    """Steps and guidance: the caller's, else the family's; for an unknown family the service's own defaults."""
    steps = family.steps if family else None
    guidance = family.guidance if family else None
    return {"steps": request.steps or steps, "guidance": request.guidance or guidance}


async def _check_controls(request: GenerateImage, model: Model, catalogue: Catalogue) -> None:
    if not request.controls:
        return
    try:
        offered = await catalogue.all("controlnet", base=model.id)
    except UNREADABLE_LIST:
        return
    check_offered(request.controls, model.id, offered)


def _rules(request: GenerateImage) -> dict[str, ImageRule]:
    return {place: RULE for place, _ in request.pictures()}


def _notes(request: GenerateImage, planned: GenerateImage, lists: _Lists, family: Family | None) -> tuple[str, ...]:
    chosen = [
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None and planned.steps else "",
        f"guidance {planned.guidance:g}" if request.guidance is None and planned.guidance else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    more = [
        ", ".join(part for part in chosen if part),
        "" if lists.readable else f"model {planned.model} unchecked: the list could not be read",
        "trigger words of the LoRAs added to the prompt" if planned.prompt != request.prompt else "",
        f"strength 0 sent as {NEARLY_ZERO}" if planned.strength != request.strength else "",
        *seed_notes(request.seed),
    ]
    needs = _needs(request)
    if request.model and able(family, needs) is False and family is not None:
        more.append(f"the {family.name} family is not known to do {' and '.join(sorted(needs))}")
    return tuple(note for note in more if note)
