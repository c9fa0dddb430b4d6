"""Images from words, from another image, or along controls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ListedModel
from atelier_mcp.server.providers.miaohua.controls import build_control_config, plan_control
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection
from atelier_mcp.server.providers.miaohua.model_list import MODEL_LIST_ERRORS, MiaohuaModel, is_same_name
from atelier_mcp.server.providers.miaohua.operation import MiaohuaOperation, MiaohuaPayload, build_plan
from atelier_mcp.server.providers.miaohua.task_poller import IMAGE_TASK
from atelier_mcp.server.providers.plan_defaults import (
    bring_to_size,
    check_control_types,
    choose_sent_size,
    choose_size,
    format_choices,
)
from atelier_mcp.server.providers.wire import drop_none
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.miaohua.model_list import MiaohuaModelList
    from atelier_mcp.server.requests.create import ControlNetUnit

RANDOM_SEED = -1
MAX_PROMPT_CHARS = 1000
"""From the vendor's questions and answers (contract: task_submit.limits_only_elsewhere)."""
MAX_SEED = 9_999_999
DEFAULT_VERSION = "sgl_artist_v0.3.5_0925"


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """What a kind of base model is recommended to run with."""

    steps: int
    guidance: float


STANDARD_SAMPLING = SamplingDefaults(50, 7.0)
TURBO_SAMPLING = SamplingDefaults(5, 1.2)
"""Contract: timing.turbo_advice."""


class MiaohuaGeneration(MiaohuaOperation[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With model, steps, guidance, size and processors.

        Raises ``InvalidRequest`` for what Miaohua or the chosen model cannot do.
        """
        if len(request.prompt) > MAX_PROMPT_CHARS:
            raise InvalidRequest(f"prompt: {len(request.prompt)} characters, Miaohua takes {MAX_PROMPT_CHARS}.")
        if request.seed is not None and request.seed > MAX_SEED:
            raise InvalidRequest(f"seed: at Miaohua it can be at most {MAX_SEED}.")
        lora = await _resolve_lora(request, self._account.model_list)
        model = await _resolve_model(request, lora, self._account.model_list)
        sampling = TURBO_SAMPLING if _is_turbo(model.model) else STANDARD_SAMPLING
        size = choose_size(request, headers.get("image"))
        sent_width, sent_height = sent_size = choose_sent_size(size)
        changes: dict[str, Any] = {
            "model": model.model.id,
            "loras": tuple(given.model_copy(update={"model": lora.id}) for given in request.loras) if lora else (),
            "controls": tuple(
                plan_control(format_place("controls", i), control) for i, control in enumerate(request.controls)
            ),
            "steps": request.steps or sampling.steps,
            "guidance": request.guidance or sampling.guidance,
            "width": size[0],
            "height": size[1],
            "aspect": None,
        }
        planned = request.model_copy(update=changes)
        await self._check_controls(planned, model)
        return replace(
            build_plan(planned, _build_notes(request, planned)),
            sent_request=planned.model_copy(update={"width": sent_width, "height": sent_height}),
            finish=bring_to_size(sent_size, size),
        )

    async def build_payload(self, request: GenerateImage, links: Mapping[str, str]) -> MiaohuaPayload:
        """``strength`` is sent without a source too, where the table wants it (contract: required_strength).

        Like the sibling API of the same vendor, which has the same default, it counts as the freedom from the source.
        """
        controls = [
            _build_control(c, links[format_place("controls", i, "image")]) for i, c in enumerate(request.controls)
        ]
        body = {
            "versionid": request.model,
            "prompt": request.prompt,
            "neg_prompt": request.negative_prompt,
            "n_images": request.samples,
            "scale": request.guidance,
            "strength": request.strength,
            "ddim_steps": request.steps,
            "select_seed": RANDOM_SEED if request.seed is None else request.seed,
            "output_size": f"{request.width}x{request.height}",
            "init_img": links.get("image"),
            "add_prompt": request.enhance_prompt,
            "cn_configs": controls or None,
            "lora_configs": [{"versionid": lora.model, "merge_weight": lora.weight} for lora in request.loras] or None,
        }
        return MiaohuaPayload("/task_submit", IMAGE_TASK, drop_none(body))

    async def _check_controls(self, request: GenerateImage, model: MiaohuaModel) -> None:
        """Raise ``InvalidRequest`` for a control that the model's list does not have; without a list, let it pass."""
        if not request.controls:
            return
        try:
            available_controls = await self._account.model_list.fetch_controls(model)
        except (*MODEL_LIST_ERRORS, MiaohuaRejection):
            return
        check_control_types(request.controls, model.model.id, available_controls)


async def _resolve_lora(request: GenerateImage, model_list: MiaohuaModelList) -> ListedModel | None:
    """The LoRA as it is listed; as it is named where the lists cannot be read."""
    if not request.loras:
        return None
    # a second one would be ignored without a word (contract: task_submit)
    lora_choice, *others = request.loras
    if others:
        raise InvalidRequest("loras: Miaohua merges one LoRA and ignores any other; give one.")
    try:
        return (await model_list.find_lora(lora_choice.model, place="loras[0].model")).model
    except MODEL_LIST_ERRORS:
        return ListedModel(lora_choice.model, "lora")


async def _resolve_model(
    request: GenerateImage, lora: ListedModel | None, model_list: MiaohuaModelList
) -> MiaohuaModel:
    """The base model asked for, else a sensible one; as it is named where the list cannot be read."""
    try:
        if request.model is None:
            return _choose_model(await model_list.fetch_checkpoints(), lora)
        entry = await model_list.find_checkpoint(request.model)
    except MODEL_LIST_ERRORS:
        return MiaohuaModel(ListedModel(request.model or DEFAULT_VERSION, "checkpoint"))
    if lora is not None and lora.base and not _is_base(lora, entry.model):
        raise InvalidRequest(f"loras[0].model: {lora.id} was made for {lora.base}, not for {entry.model.id}.")
    return entry


def _choose_model(entries: tuple[MiaohuaModel, ...], lora: ListedModel | None) -> MiaohuaModel:
    """The LoRA's own base, the documented default, or the first that is no turbo, the vendor's own before others."""
    if not entries:
        raise InvalidRequest("model: Miaohua lists no base model for this account.")
    lora_bases = [entry for entry in entries if lora is not None and lora.base and _is_base(lora, entry.model)]

    def rank(entry: MiaohuaModel) -> tuple[bool, bool, bool]:
        # False sorts before True: the documented default first, then what is no turbo, then the vendor's own.
        return entry.model.id != DEFAULT_VERSION, _is_turbo(entry.model), bool(entry.opensource)

    return min(lora_bases or entries, key=rank)


def _is_base(lora: ListedModel, model: ListedModel) -> bool:
    return lora.base == model.id or is_same_name(lora.base, model.name)


def _is_turbo(model: ListedModel) -> bool:
    return "turbo" in f"{model.id} {model.name}".lower()


def _build_control(control: ControlNetUnit, link: str) -> dict[str, Any]:
    body = {
        "cn": control.type,
        "img": link,
        "weight": control.weight,
        "guidance_start": control.start,
        "guidance_end": control.end,
        "config": build_control_config(control) or None,
    }
    return drop_none(body)


def _build_notes(request: GenerateImage, planned: GenerateImage) -> tuple[str, ...]:
    notes = [
        format_choices(request, planned),
        "Miaohua chooses the file format itself" if request.format == "png" else "",
        "Miaohua puts no mark on pictures" if request.watermark == "logo" else "",
        "Miaohua reads Chinese and English and translates nothing" if request.translate_prompt else "",
    ]
    return tuple(note for note in notes if note)
