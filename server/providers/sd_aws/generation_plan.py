"""How requests are made ready for Stable Diffusion on AWS: what was left open filled in, the impossible refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.sd_aws.controls import plan_unit
from atelier_mcp.server.providers.sd_aws.inference_payload import PLAIN_UNIT, get_advanced
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.sd_aws.model_list import SdAwsModelList
    from atelier_mcp.server.requests.aws import AdvancedOptions
    from atelier_mcp.server.requests.create import GenerateImage

IMAGE_RULE = ImageRule(min_side_px=64, max_side_px=4096, max_bytes=8_000_000, deliveries=(DeliveryMethod.BASE64,))
"""Pictures travel inside the parameters (contract: inference_v2.img2img_input); no limit of theirs is printed."""
DEFAULT_SIDE_PX = 512
SIDE_STEP_PX = 8
DEFAULT_STEPS = 28
DEFAULT_GUIDANCE = 7.0
MAX_SIDE_PX = 4096


async def plan_generation(
    request: GenerateImage, headers: Mapping[str, ImageHeader], model_list: SdAwsModelList, *, endpoint: str
) -> Plan:
    """The request with endpoint, files, size, steps and guidance filled in; ``endpoint`` is the operator's choice.

    Raises ``InvalidRequest`` for what the deployment cannot do.
    """
    advanced = get_advanced(request)
    _check_request(request, advanced)
    endpoint_name = await model_list.choose_endpoint(advanced.endpoint or endpoint, real_time=advanced.real_time)
    width, height = _choose_size(request, headers.get("image"))
    changes: dict[str, Any] = {
        "advanced": advanced.model_copy(
            update={"endpoint": endpoint_name, **await _choose_files(request, advanced, model_list)}
        ),
        "model": await _choose_checkpoint(request, model_list),
        "loras": tuple(
            [
                lora.model_copy(
                    update={"model": await model_list.find_file("lora", lora.model, place=f"loras[{i}].model")}
                )
                for i, lora in enumerate(request.loras)
            ]
        ),
        "width": width,
        "height": height,
        "steps": request.steps or DEFAULT_STEPS,
        "guidance": request.guidance or DEFAULT_GUIDANCE,
    }
    planned = request.model_copy(update=changes)
    return Plan(
        planned,
        {place: IMAGE_RULE for place, _ in planned.list_image_references()},
        _build_notes(request, planned, endpoint_name),
    )


async def _choose_checkpoint(request: GenerateImage, model_list: SdAwsModelList) -> str:
    if request.model is None:
        return await model_list.choose_default_checkpoint()
    return await model_list.find_file("checkpoint", request.model, place="model")


async def _choose_files(
    request: GenerateImage, advanced: AdvancedOptions, model_list: SdAwsModelList
) -> dict[str, Any]:
    """The units of the controls with their files, and the other files of ``advanced`` by their full names."""
    changes: dict[str, Any] = {}
    if request.controls:
        files = await model_list.try_fetch_files("controlnet")
        units = [*advanced.control_units, *[PLAIN_UNIT] * len(request.controls)]
        changes["control_units"] = tuple(
            plan_unit(format_place("controls", index), control, unit, files)
            for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
        )
    for field, kind in (("embeddings", "embedding"), ("hypernetworks", "hypernetwork")):
        names: tuple[str, ...] = getattr(advanced, field)
        found = [await model_list.find_file(kind, name, place=f"advanced.{field}") for name in names]
        if found:
            changes[field] = tuple(found)
    return changes


def _check_request(request: GenerateImage, advanced: AdvancedOptions) -> None:
    if len(advanced.control_units) > len(request.controls):
        raise InvalidRequest("advanced.control_units: there are more of them than controls.")
    if advanced.batch_size and request.samples % advanced.batch_size:
        raise InvalidRequest(f"advanced.batch_size: {advanced.batch_size} does not divide {request.samples} samples.")
    if request.image is not None and advanced.denoising_strength is not None:
        raise InvalidRequest("advanced.denoising_strength: with a source picture, give strength instead.")


def _choose_size(request: GenerateImage, source: ImageHeader | None) -> tuple[int, int]:
    """The caller's, else the source's ratio with 512 on the short side, else 512 x 512."""
    if request.width and request.height:
        return request.width, request.height
    ratio = source.width / source.height if request.image is not None and source is not None else 1.0
    if request.width:
        return request.width, _round_side(request.width / ratio)
    if request.height:
        return _round_side(request.height * ratio), request.height
    return _round_side(DEFAULT_SIDE_PX * max(ratio, 1)), _round_side(DEFAULT_SIDE_PX * max(1 / ratio, 1))


def _round_side(pixels: float) -> int:
    return min(MAX_SIDE_PX, max(64, round(pixels / SIDE_STEP_PX) * SIDE_STEP_PX))


def _build_notes(request: GenerateImage, planned: GenerateImage, endpoint: str) -> tuple[str, ...]:
    choices = [
        f"endpoint {endpoint}",
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None else "",
        f"guidance {planned.guidance:g}" if request.guidance is None else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    notes = [
        ", ".join(part for part in choices if part),
        "Stable Diffusion on AWS extends and translates no prompts"
        if request.enhance_prompt or request.translate_prompt
        else "",
        "Stable Diffusion on AWS chooses the file format itself" if request.format == "png" else "",
        "Stable Diffusion on AWS puts no mark on pictures" if request.watermark == "logo" else "",
    ]
    return tuple(note for note in notes if note)
