"""Images from words, from another image, or along controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checkpoint_choice import (
    collect_needs,
    load_generation_models,
    resolve_loras,
    resolve_model,
)
from atelier_mcp.server.providers.mhapi.checks import (
    IMAGE_RULE,
    MODEL_LIST_ERRORS,
    NEARLY_ZERO,
    build_seed_notes,
    check_seed,
    check_width,
)
from atelier_mcp.server.providers.mhapi.controls import build_control_body, plan_control
from atelier_mcp.server.providers.mhapi.families import can_do
from atelier_mcp.server.providers.mhapi.model_list import guess_model_family
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.plan_defaults import (
    bring_to_size,
    build_uniform_rules,
    check_control_types,
    choose_sent_size,
    choose_size,
    format_choices,
)
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.providers.mhapi.checkpoint_choice import GenerationModels
    from atelier_mcp.server.providers.mhapi.families import CheckpointFamily


class MhapiGeneration(MhapiOperation[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With model, steps, guidance, size and pre-processors.

        Raises ``InvalidRequest`` for what the chosen model cannot do.
        """
        # Image n of a task has the seed plus n, and the sum may pass the end (contract: imgenstd.imgen.seed_range).
        check_seed(request.seed, request.samples)
        models = await load_generation_models(request, self._model_list)
        loras = resolve_loras(request, models)
        model = resolve_model(request, models, loras)
        family = guess_model_family(model)
        size = choose_size(request, headers.get("image"))
        sent_width, sent_height = sent_size = choose_sent_size(size)
        changes: dict[str, Any] = {
            "model": model.id,
            # the words that wake a LoRA go behind the caller's own (contract: imgenstd.imgen.lora_limits)
            "prompt": ", ".join([request.prompt, *_find_missing_triggers(request.prompt, loras)]),
            "loras": tuple(
                given.model_copy(update={"model": lora.id}) for given, lora in zip(request.loras, loras, strict=True)
            ),
            "controls": tuple(
                plan_control(format_place("controls", i), control) for i, control in enumerate(request.controls)
            ),
            "width": size[0],
            "height": size[1],
            "aspect": None,
            **_choose_sampling(request, family),
        }
        if request.image is not None and request.strength == 0:
            changes["strength"] = NEARLY_ZERO
        planned = request.model_copy(update=changes)
        # the trigger words count, too: the planned prompt is measured, not the caller's
        check_width("prompt", planned.prompt)
        check_width("negative_prompt", planned.negative_prompt)
        await self._check_controls(planned, model)
        rules = build_uniform_rules(planned, IMAGE_RULE)
        return Plan(
            planned,
            rules,
            _build_notes(request, planned, models, family),
            sent_request=planned.model_copy(update={"width": sent_width, "height": sent_height}),
            finish=bring_to_size(sent_size, size),
        )

    def build_payload(self, request: GenerateImage, links: Mapping[str, str]) -> MhapiPayload:
        """A switch that is off is left out, as in every sample; so is the strength where there is no source."""
        controls = [
            build_control_body(control, get_link(links, format_place("controls", i, "image")))
            for i, control in enumerate(request.controls)
        ]
        body = {
            "model_id": request.model,
            "prompt": request.prompt,
            # Names as printed: ``neg_prompt``, ``cfg_scale``, ``pre_processor`` (contract:
            # imgenstd.imgen.preprocessor_spelling).
            "neg_prompt": request.negative_prompt,
            "force_translation": request.translate_prompt or None,
            "add_prompt": request.enhance_prompt or None,
            "cfg_scale": request.guidance,
            "samples": request.samples,
            "width": request.width,
            "height": request.height,
            "seed": request.seed,
            "steps": request.steps,
            "img_url": links.get("image"),
            "image_strength": request.strength if request.image is not None else None,
            "controlnet_configs": controls or None,
            "lora_configs": [{"model_id": lora.model, "merge_weight": lora.weight} for lora in request.loras] or None,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/imgenstd/imgen", "imgenstd", body)

    async def _check_controls(self, request: GenerateImage, model: ListedModel) -> None:
        """Raise ``InvalidRequest`` for a control that the model's list does not have; without a list, let it pass."""
        if not request.controls:
            return
        try:
            # Asked for, since the static table covers seven types only (contract: imgenstd.imgen.kinds).
            available_controls = await self._model_list.fetch_models("controlnet", base=model.id)
        except MODEL_LIST_ERRORS:
            return
        check_control_types(request.controls, model.id, available_controls)


def _find_missing_triggers(prompt: str, loras: Sequence[ListedModel]) -> list[str]:
    """The LoRAs' trigger words that the prompt does not hold, nor another of them."""
    missing: list[str] = []
    for word in (part.strip() for lora in loras for part in lora.triggers.split(",")):
        if word and word.lower() not in ", ".join([prompt, *missing]).lower():
            missing.append(word)
    return missing


def _choose_sampling(request: GenerateImage, family: CheckpointFamily | None) -> dict[str, Any]:
    """Steps and guidance: the caller's, else the family's; for an unknown family the service's own defaults."""
    steps = family.steps if family else None
    guidance = family.guidance if family else None
    return {"steps": request.steps or steps, "guidance": request.guidance or guidance}


def _build_notes(
    request: GenerateImage, planned: GenerateImage, models: GenerationModels, family: CheckpointFamily | None
) -> tuple[str, ...]:
    notes = [
        format_choices(request, planned),
        "" if models.is_readable else f"model {planned.model} unchecked: the list could not be read",
        "trigger words of the LoRAs added to the prompt" if planned.prompt != request.prompt else "",
        f"strength 0 sent as {NEARLY_ZERO}" if planned.strength != request.strength else "",
        *build_seed_notes(request.seed),
    ]
    needs = collect_needs(request)
    if request.model and can_do(family, needs) is False and family is not None:
        notes.append(f"the {family.name} family is not known to do {' and '.join(sorted(needs))}")
    return tuple(note for note in notes if note)
