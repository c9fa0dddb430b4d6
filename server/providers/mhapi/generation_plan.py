"""How a generate_image request is made ready for MHAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ListedModel, Plan
from atelier_mcp.server.providers.mhapi.checks import (
    IMAGE_RULE,
    MODEL_LIST_ERRORS,
    NEARLY_ZERO,
    build_seed_notes,
    build_unlisted_error,
    check_seed,
    check_width,
)
from atelier_mcp.server.providers.mhapi.controls import check_control_types, plan_control
from atelier_mcp.server.providers.mhapi.families import (
    CONTROL,
    IMAGE,
    LORA,
    TEXT,
    TEXT_PREFERENCE,
    VERSATILE_PREFERENCE,
    CheckpointFamily,
    can_do,
)
from atelier_mcp.server.providers.mhapi.families import guess_family as family_of_names
from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList, guess_model_family
from atelier_mcp.server.providers.plan_defaults import choose_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.create import GenerateImage


@dataclass(frozen=True, slots=True)
class _ModelLists:
    """What the account can use; ``is_readable`` is False where the lists could not be read."""

    checkpoints: tuple[ListedModel, ...] = ()
    loras: tuple[ListedModel, ...] = ()
    is_readable: bool = True

    def find(self, name: str) -> ListedModel | None:
        both = (*self.checkpoints, *self.loras)
        by_id = [model for model in both if model.id == name]
        return next(iter(by_id or [model for model in both if model.name.lower() == name.lower()]), None)


async def plan_generation(
    request: GenerateImage, headers: Mapping[str, ImageHeader], model_list: MhapiModelList
) -> Plan:
    """The request with model, steps, guidance, size and pre-processors filled in.

    Raises ``InvalidRequest`` for what the chosen model cannot do.
    """
    check_seed(request.seed, request.samples)
    lists = await _load_lists(request, model_list)
    loras = _resolve_loras(request, lists)
    model, family = _resolve_model(request, lists, loras)
    width, height = choose_size(request, headers.get("image"))
    changes: dict[str, Any] = {
        "model": model.id,
        "prompt": _add_trigger_words(request.prompt, loras),
        "loras": tuple(
            given.model_copy(update={"model": lora.id}) for given, lora in zip(request.loras, loras, strict=True)
        ),
        "controls": tuple(plan_control(f"controls[{i}]", control) for i, control in enumerate(request.controls)),
        "width": width,
        "height": height,
        **_choose_sampling(request, family),
    }
    if request.image is not None and request.strength == 0:
        changes["strength"] = NEARLY_ZERO
    planned = request.model_copy(update=changes)
    check_width("prompt", planned.prompt)
    check_width("negative_prompt", planned.negative_prompt)
    await _check_controls(planned, model, model_list)
    return Plan(planned, _build_image_rules(planned), _build_notes(request, planned, lists, family))


async def _load_lists(request: GenerateImage, model_list: MhapiModelList) -> _ModelLists:
    """Both lists; read again when a name is not in them, for it may be new."""
    names = [name for name in (request.model, *(lora.model for lora in request.loras)) if name]
    lists = _ModelLists()
    for refresh in (False, True):
        try:
            lists = _ModelLists(
                await model_list.fetch_models("checkpoint", refresh=refresh),
                await model_list.fetch_models("lora", refresh=refresh),
            )
        except MODEL_LIST_ERRORS:
            if request.model is None:
                raise
            return _ModelLists(is_readable=False)
        if all(lists.find(name) for name in names):
            break
    return lists


def _resolve_loras(request: GenerateImage, lists: _ModelLists) -> list[ListedModel]:
    found: list[ListedModel] = []
    for index, lora_choice in enumerate(request.loras):
        lora = lists.find(lora_choice.model) if lists.is_readable else ListedModel(lora_choice.model, "lora")
        if lora is None:
            raise build_unlisted_error(f"loras[{index}].model", lora_choice.model, lists.loras)
        if lora.kind != "lora":
            raise InvalidRequest(f"loras[{index}].model: {lora_choice.model} is a checkpoint; give it as model.")
        if lora.id in [other.id for other in found]:
            raise InvalidRequest(f"loras[{index}].model: {lora_choice.model} is given twice.")
        found.append(lora)
    return found


def _resolve_model(
    request: GenerateImage, lists: _ModelLists, loras: Sequence[ListedModel]
) -> tuple[ListedModel, CheckpointFamily | None]:
    if request.model is None:
        model = _choose_checkpoint(_collect_needs(request), lists, loras)
    elif not lists.is_readable:
        model = ListedModel(request.model, "checkpoint")
    else:
        model = _find_checkpoint(request.model, lists)
    for index, lora in enumerate(loras):
        if not _has_same_base(lora, model):
            raise InvalidRequest(
                f"loras[{index}].model: {lora.id} was made for {lora.base or 'another base'}, not for {model.id}."
            )
    return model, guess_model_family(model)


def _find_checkpoint(name: str, lists: _ModelLists) -> ListedModel:
    model = lists.find(name)
    if model is None:
        raise build_unlisted_error("model", name, lists.checkpoints)
    if model.kind == "lora":
        raise InvalidRequest(f"model: {name} is a LoRA; give it in loras and a checkpoint as model.")
    return model


def _choose_checkpoint(needs: frozenset[str], lists: _ModelLists, loras: Sequence[ListedModel]) -> ListedModel:
    """The checkpoint most likely to do what is asked; the vendor's support table is a hint, unknown comes after it."""
    preference = TEXT_PREFERENCE if needs == frozenset({TEXT}) else VERSATILE_PREFERENCE
    ranked: list[tuple[tuple[bool, int], ListedModel]] = []
    for model in lists.checkpoints:
        family = guess_model_family(model)
        is_able = can_do(family, needs)
        if is_able is not False and model.kind == "checkpoint" and all(_has_same_base(lora, model) for lora in loras):
            rank = preference.index(family.name) if family and family.name in preference else len(preference)
            ranked.append(((is_able is not True, rank), model))
    if not ranked:
        needed = " and ".join(sorted(needs))
        raise InvalidRequest(f"model: no listed checkpoint is known to do {needed}; name one.", hint="See list_models.")
    return min(ranked, key=lambda item: item[0])[1]


def _collect_needs(request: GenerateImage) -> frozenset[str]:
    needs = {IMAGE: request.image is not None, CONTROL: bool(request.controls), LORA: bool(request.loras)}
    return frozenset(need for need, wanted in needs.items() if wanted) or frozenset({TEXT})


def _has_same_base(lora: ListedModel, model: ListedModel) -> bool:
    """False only where both bases are known and differ."""
    if lora.base and model.base:
        return lora.base.lower() == model.base.lower()
    lora_family, model_family = family_of_names(lora.base), guess_model_family(model)
    return lora_family is None or model_family is None or lora_family == model_family


def _add_trigger_words(prompt: str, loras: Sequence[ListedModel]) -> str:
    """The prompt with the LoRAs' trigger words that are not in it yet (contract: imgenstd.imgen.lora_limits)."""
    for lora in loras:
        for word in (part.strip() for part in lora.triggers.split(",")):
            if word and word.lower() not in prompt.lower():
                prompt = f"{prompt}, {word}"
    return prompt


def _choose_sampling(request: GenerateImage, family: CheckpointFamily | None) -> dict[str, Any]:
    """Steps and guidance: the caller's, else the family's; for an unknown family the service's own defaults."""
    steps = family.steps if family else None
    guidance = family.guidance if family else None
    return {"steps": request.steps or steps, "guidance": request.guidance or guidance}


async def _check_controls(request: GenerateImage, model: ListedModel, model_list: MhapiModelList) -> None:
    if not request.controls:
        return
    try:
        available_controls = await model_list.fetch_models("controlnet", base=model.id)
    except MODEL_LIST_ERRORS:
        return
    check_control_types(request.controls, model.id, available_controls)


def _build_image_rules(request: GenerateImage) -> dict[str, ImageRule]:
    return {place: IMAGE_RULE for place, _ in request.list_image_references()}


def _build_notes(
    request: GenerateImage, planned: GenerateImage, lists: _ModelLists, family: CheckpointFamily | None
) -> tuple[str, ...]:
    choices = [
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None and planned.steps else "",
        f"guidance {planned.guidance:g}" if request.guidance is None and planned.guidance else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    notes = [
        ", ".join(part for part in choices if part),
        "" if lists.is_readable else f"model {planned.model} unchecked: the list could not be read",
        "trigger words of the LoRAs added to the prompt" if planned.prompt != request.prompt else "",
        f"strength 0 sent as {NEARLY_ZERO}" if planned.strength != request.strength else "",
        *build_seed_notes(request.seed),
    ]
    needs = _collect_needs(request)
    if request.model and can_do(family, needs) is False and family is not None:
        notes.append(f"the {family.name} family is not known to do {' and '.join(sorted(needs))}")
    return tuple(note for note in notes if note)
