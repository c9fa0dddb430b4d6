"""How requests are made ready for Stable Diffusion on AWS: what was left open filled in, the impossible refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Delivery, ImageRule, Plan
from atelier_mcp.server.providers.sd_aws.controls import planned_unit
from atelier_mcp.server.providers.sd_aws.inference import PLAIN_UNIT, advanced_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.sd_aws.catalogue import Catalogue
    from atelier_mcp.server.requests.aws import Advanced
    from atelier_mcp.server.requests.create import GenerateImage

RULE = ImageRule(min_side_px=64, max_side_px=4096, max_bytes=8_000_000, deliveries=(Delivery.BASE64,))
"""Pictures travel inside the parameters (contract: inference_v2.img2img_input); no limit of theirs is printed."""
USUAL_SIDE_PX = 512
SIDE_STEP_PX = 8
USUAL_STEPS = 28
USUAL_GUIDANCE = 7.0
MOST_SIDE_PX = 4096


async def plan_generation(
    request: GenerateImage, pictures: Mapping[str, Header], catalogue: Catalogue, *, endpoint: str
) -> Plan:
    """The request with endpoint, files, size, steps and guidance filled in; ``endpoint`` is the operator's choice.

    Raises ``InvalidRequest`` for what the deployment cannot do.
    """
    advanced = advanced_of(request)
    _check(request, advanced)
    chosen = await catalogue.endpoint(advanced.endpoint or endpoint, real_time=advanced.real_time)
    width, height = _sides(request, pictures.get("image"))
    changes: dict[str, Any] = {
        "advanced": advanced.model_copy(update={"endpoint": chosen, **await _files(request, advanced, catalogue)}),
        "model": await _checkpoint(request, catalogue),
        "loras": tuple(
            [
                lora.model_copy(update={"model": await catalogue.file("lora", lora.model, place=f"loras[{i}].model")})
                for i, lora in enumerate(request.loras)
            ]
        ),
        "width": width,
        "height": height,
        "steps": request.steps or USUAL_STEPS,
        "guidance": request.guidance or USUAL_GUIDANCE,
    }
    planned = request.model_copy(update=changes)
    return Plan(planned, {place: RULE for place, _ in planned.pictures()}, _notes(request, planned, chosen))


async def _checkpoint(request: GenerateImage, catalogue: Catalogue) -> str:
    if request.model is None:
        return await catalogue.usual_checkpoint()
    return await catalogue.file("checkpoint", request.model, place="model")


async def _files(request: GenerateImage, advanced: Advanced, catalogue: Catalogue) -> dict[str, Any]:
    """The units of the controls with their files, and the other files of ``advanced`` by their full names."""
    changes: dict[str, Any] = {}
    if request.controls:
        files = await catalogue.readable("controlnet")
        units = [*advanced.control_units, *[PLAIN_UNIT] * len(request.controls)]
        changes["control_units"] = tuple(
            planned_unit(f"controls[{index}]", control, unit, files)
            for index, (control, unit) in enumerate(zip(request.controls, units, strict=False))
        )
    for field, kind in (("embeddings", "embedding"), ("hypernetworks", "hypernetwork")):
        names: tuple[str, ...] = getattr(advanced, field)
        found = [await catalogue.file(kind, name, place=f"advanced.{field}") for name in names]
        if found:
            changes[field] = tuple(found)
    return changes


def _check(request: GenerateImage, advanced: Advanced) -> None:
    if len(advanced.control_units) > len(request.controls):
        raise InvalidRequest("advanced.control_units: there are more of them than controls.")
    if advanced.batch_size and request.samples % advanced.batch_size:
        raise InvalidRequest(f"advanced.batch_size: {advanced.batch_size} does not divide {request.samples} samples.")
    if request.image is not None and advanced.denoising_strength is not None:
        raise InvalidRequest("advanced.denoising_strength: with a source picture, give strength instead.")


def _sides(request: GenerateImage, source: Header | None) -> tuple[int, int]:
    """The caller's, else the source's ratio with 512 on the short side, else 512 x 512."""
    if request.width and request.height:
        return request.width, request.height
    ratio = source.width / source.height if request.image is not None and source is not None else 1.0
    if request.width:
        return request.width, _side(request.width / ratio)
    if request.height:
        return _side(request.height * ratio), request.height
    return _side(USUAL_SIDE_PX * max(ratio, 1)), _side(USUAL_SIDE_PX * max(1 / ratio, 1))


def _side(pixels: float) -> int:
    return min(MOST_SIDE_PX, max(64, round(pixels / SIDE_STEP_PX) * SIDE_STEP_PX))


def _notes(request: GenerateImage, planned: GenerateImage, endpoint: str) -> tuple[str, ...]:
    chosen = [
        f"endpoint {endpoint}",
        f"model {planned.model}" if request.model != planned.model else "",
        f"{planned.steps} steps" if request.steps is None else "",
        f"guidance {planned.guidance:g}" if request.guidance is None else "",
        f"{planned.width}x{planned.height}"
        if (request.width, request.height) != (planned.width, planned.height)
        else "",
    ]
    more = [
        ", ".join(part for part in chosen if part),
        "Stable Diffusion on AWS extends and translates no prompts"
        if request.enhance_prompt or request.translate_prompt
        else "",
        "Stable Diffusion on AWS chooses the file format itself" if request.format == "png" else "",
        "Stable Diffusion on AWS puts no mark on pictures" if request.watermark == "logo" else "",
    ]
    return tuple(note for note in more if note)
