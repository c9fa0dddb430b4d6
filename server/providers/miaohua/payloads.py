"""Planned requests as Miaohua's submits: only what the contract's tables list is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.miaohua.controls import build_control_config
from atelier_mcp.server.providers.miaohua.model_list import AUTOMATIC_BASE
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.requests.create import ControlNetUnit, GenerateImage
    from atelier_mcp.server.requests.edit import OutpaintImage
    from atelier_mcp.server.requests.train import TrainLora

RANDOM_SEED = -1
FAST = 1


def build_generation_payload(request: GenerateImage, links: Mapping[str, str]) -> dict[str, Any]:
    """The body of ``task_submit`` for pictures from words.

    ``strength`` is sent without a source too, where the table wants it (contract: required_strength); like the sibling
    API of the same vendor, which has the same default, it counts as the freedom from the source.
    """
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
        "cn_configs": [
            _build_control(c, links[format_place("controls", i, "image")]) for i, c in enumerate(request.controls)
        ]
        or None,
        "lora_configs": [{"versionid": lora.model, "merge_weight": lora.weight} for lora in request.loras] or None,
    }
    return _drop_none(body)


def build_outpainting_payload(request: OutpaintImage, links: Mapping[str, str]) -> dict[str, Any]:
    """The body of ``task_submit`` for a picture continued beyond its borders, as the one printed sample has it.

    Neither a model nor a size belongs to it (contract: task_submit.outpaint_config, task_submit.enable_lcm).
    """
    return {
        "prompt": "",
        "n_images": request.samples,
        "outpaint_config": {
            "src_img": links["image"],
            "outpaint_ratio": request.ratio,
            "align_position": request.position,
        },
        "enable_lcm": FAST,
    }


def build_training_payload(request: TrainLora, dataset_ids: Sequence[int], base_name: str) -> dict[str, Any]:
    """The body of ``train_submit``; nothing of a base where the service is to choose it.

    ``base_name`` is the base's display name where it is known: older services want that, later ones the version id.
    A base that is known by its display name alone is sent as that (contract: base_model_selector).
    """
    body: dict[str, Any] = {
        "name": request.name,
        "description": request.description or "",
        "trigger_word": request.trigger or "",
        "main_body": request.subject.capitalize(),
        "dataset": list(dataset_ids),
    }
    if request.base == AUTOMATIC_BASE:
        return body
    if base_name and base_name != request.base:
        return body | {"base_model_version": request.base, "base_model": base_name}
    return body | {"base_model": request.base}


def _build_control(control: ControlNetUnit, link: str) -> dict[str, Any]:
    body = {
        "cn": control.type,
        "img": link,
        "weight": control.weight,
        "guidance_start": control.start,
        "guidance_end": control.end,
        "config": build_control_config(control) or None,
    }
    return _drop_none(body)


def _drop_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
