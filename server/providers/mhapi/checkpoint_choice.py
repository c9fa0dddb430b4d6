"""Which checkpoint and which LoRAs a generate_image request means, or had better use, of those the account has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ListedModel
from atelier_mcp.server.providers.mhapi.checks import MODEL_LIST_ERRORS, build_unlisted_error
from atelier_mcp.server.providers.mhapi.families import (
    CONTROL,
    IMAGE,
    LORA,
    TEXT,
    TEXT_PREFERENCE,
    VERSATILE_PREFERENCE,
    can_do,
    guess_family,
)
from atelier_mcp.server.providers.mhapi.model_list import guess_model_family
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList
    from atelier_mcp.server.requests.create import GenerateImage


@dataclass(frozen=True, slots=True)
class GenerationModels:
    """What the account can use; ``is_readable`` is False where the lists could not be read."""

    checkpoints: tuple[ListedModel, ...] = ()
    loras: tuple[ListedModel, ...] = ()
    is_readable: bool = True

    def find(self, name: str) -> ListedModel | None:
        """The checkpoint or LoRA with that id, or else with that name in any case."""
        both = (*self.checkpoints, *self.loras)
        by_id = [model for model in both if model.id == name]
        return next(iter(by_id or [model for model in both if model.name.lower() == name.lower()]), None)


async def load_generation_models(request: GenerateImage, model_list: MhapiModelList) -> GenerationModels:
    """Both lists; read again when a name is not in them, for it may be new."""
    names = [name for name in (request.model, *(lora.model for lora in request.loras)) if name]
    models = GenerationModels()
    # A training may have finished since the list was read: its LoRA is in the next one.
    for refresh in (False, True):
        try:
            models = GenerationModels(
                await model_list.fetch_models("checkpoint", refresh=refresh),
                await model_list.fetch_models("lora", refresh=refresh),
            )
        except MODEL_LIST_ERRORS:
            if request.model is None:  # nothing to choose from; a model that is named can be tried all the same
                raise
            return GenerationModels(is_readable=False)
        if all(models.find(name) for name in names):
            break
    return models


def resolve_loras(request: GenerateImage, models: GenerationModels) -> list[ListedModel]:
    """The LoRAs as they are listed. Raises ``InvalidRequest`` for one that is not, is none, or is given twice."""
    found: list[ListedModel] = []
    for index, lora_choice in enumerate(request.loras):
        # Without a list the service is left to judge the name.
        lora = models.find(lora_choice.model) if models.is_readable else ListedModel(lora_choice.model, "lora")
        if lora is None:
            raise build_unlisted_error(format_place("loras", index, "model"), lora_choice.model, models.loras)
        if lora.kind != "lora":
            raise InvalidRequest(f"loras[{index}].model: {lora_choice.model} is a checkpoint; give it as model.")
        # By id: the same one may have been given once by name.
        if lora.id in [other.id for other in found]:
            raise InvalidRequest(f"loras[{index}].model: {lora_choice.model} is given twice.")
        found.append(lora)
    return found


def resolve_model(request: GenerateImage, models: GenerationModels, loras: Sequence[ListedModel]) -> ListedModel:
    """The checkpoint that is named, else the best one for what is asked.

    Raises ``InvalidRequest`` for one that is not listed or does not go with the LoRAs.
    """
    if request.model is None:
        model = _choose_checkpoint(collect_needs(request), models, loras)
    elif not models.is_readable:
        model = ListedModel(request.model, "checkpoint")
    else:
        model = _find_checkpoint(request.model, models)
    for index, lora in enumerate(loras):
        if not _has_same_base(lora, model):
            raise InvalidRequest(
                f"loras[{index}].model: {lora.id} was made for {lora.base or 'another base'}, not for {model.id}."
            )
    return model


def collect_needs(request: GenerateImage) -> frozenset[str]:
    """What a checkpoint must be able to do for a request, in the words of ``CheckpointFamily.supports``."""
    needs = {IMAGE: request.image is not None, CONTROL: bool(request.controls), LORA: bool(request.loras)}
    return frozenset(need for need, wanted in needs.items() if wanted) or frozenset({TEXT})


def _find_checkpoint(name: str, models: GenerationModels) -> ListedModel:
    model = models.find(name)
    if model is None:
        raise build_unlisted_error("model", name, models.checkpoints)
    if model.kind == "lora":
        raise InvalidRequest(f"model: {name} is a LoRA; give it in loras and a checkpoint as model.")
    return model


def _choose_checkpoint(needs: frozenset[str], models: GenerationModels, loras: Sequence[ListedModel]) -> ListedModel:
    """The checkpoint most likely to do what is asked; the vendor's support table is a hint, unknown comes after it."""
    preference = TEXT_PREFERENCE if needs == frozenset({TEXT}) else VERSATILE_PREFERENCE
    ranked: list[tuple[tuple[bool, int], ListedModel]] = []
    for model in models.checkpoints:
        family = guess_model_family(model)
        is_able = can_do(family, needs)
        if is_able is not False and model.kind == "checkpoint" and all(_has_same_base(lora, model) for lora in loras):
            rank = preference.index(family.name) if family and family.name in preference else len(preference)
            # first whatever is said to be able, then what nobody says anything of; within that by preference
            ranked.append(((is_able is not True, rank), model))
    if not ranked:
        needed = " and ".join(sorted(needs))
        raise InvalidRequest(f"model: no listed checkpoint is known to do {needed}; name one.", hint="See list_models.")
    return min(ranked, key=lambda item: item[0])[1]


def _has_same_base(lora: ListedModel, model: ListedModel) -> bool:
    """False only where both bases are known and differ."""
    if lora.base and model.base:
        return lora.base.lower() == model.base.lower()
    # Bases are spelled loosely in listings (contract: imgenstd.imgen.families), so that families are compared, and what
    # is unknown is let through.
    lora_family, model_family = guess_family(lora.base), guess_model_family(model)
    return lora_family is None or model_family is None or lora_family == model_family
