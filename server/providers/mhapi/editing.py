"""How every request but generate_image is made ready for MHAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Delivery, ImageRule, Plan
from atelier_mcp.server.providers.mhapi.canvas import check_sides, is_free, planned_canvas, planned_ratio
from atelier_mcp.server.providers.mhapi.checks import (
    CANVAS_RULE,
    FACE_PROMPT_WIDTH,
    LARGEST_INPAINT_SEED,
    MASK_RULE,
    NEARLY_ZERO,
    RULE,
    SMALL_SOURCE_RULE,
    check_seed,
    check_width,
    seed_notes,
    service_model,
)

if TYPE_CHECKING:
    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.mhapi.catalogue import Catalogue
    from atelier_mcp.server.requests.edit import (
        CutOutSubject,
        EraseObject,
        InpaintImage,
        OutpaintImage,
        SegmentImage,
        StylizeImage,
        UpscaleImage,
    )
    from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces
    from atelier_mcp.server.requests.train import TrainLora

USUAL_ERASE = "erase_v0.1"
USUAL_INPAINT = "inpaint_v0.1"
USUAL_UPSCALE = "super_resolution_v1"
SWAP_MODELS = {"normal": "faceswap_v1", "anime": "faceswap_yw"}
"""The ids the contract names (enums.model_ids_named)."""
MAX_BASE64_CHARS = 6_999_999
MAX_BASE64_SOURCE_BYTES = MAX_BASE64_CHARS // 4 * 3
MAIN_OBJECTS = ("human", "style")
LEAST_TRAINING_IMAGES = 10
RATIO_TOLERANCE = 0.01
MASKED_RULES = {"image": RULE, "mask": MASK_RULE}


async def plan_inpainting(request: InpaintImage, catalogue: Catalogue) -> Plan:
    """An inpaint_image request with its model."""
    check_seed(request.seed, request.samples, LARGEST_INPAINT_SEED)
    check_width("prompt", request.prompt)
    check_width("negative_prompt", request.negative_prompt)
    model, notes = await service_model(catalogue, "inpaint", request.model, usual=USUAL_INPAINT)
    planned = request.model_copy(update={"model": model})
    return Plan(planned, MASKED_RULES, (*notes, *seed_notes(request.seed)))


async def plan_erasing(request: EraseObject | CutOutSubject, catalogue: Catalogue) -> Plan:
    """An erase_object or cut_out_subject request with an erase model (contract: cutout.model_id)."""
    usual = USUAL_ERASE if request.capability == "erase_object" else ""
    model, notes = await service_model(catalogue, "erase", request.model, usual=usual)
    return Plan(request.model_copy(update={"model": model}), MASKED_RULES, notes)


async def plan_segmentation(request: SegmentImage, catalogue: Catalogue) -> Plan:
    """A segment_image request with its model."""
    model, notes = await service_model(catalogue, "segment", request.model)
    return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)


async def plan_upscaling(request: UpscaleImage, catalogue: Catalogue) -> Plan:
    """An upscale_image request with its model."""
    model, notes = await service_model(catalogue, "upscale", request.model, usual=USUAL_UPSCALE)
    return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)


async def plan_outpainting(request: OutpaintImage, source: Header | None, catalogue: Catalogue) -> Plan:
    """An outpaint_image request with its model and either a ratio, both sides, or a whole canvas."""
    free = is_free(request, source)
    if free and source is not None:
        changes, told = planned_canvas(request, source)
    elif request.width is None:
        changes, told = planned_ratio(request, source)
    else:
        check_sides(request, source)
        changes, told = dict[str, Any](), ()
    model, notes = await service_model(catalogue, "outpaint", request.model)
    planned = request.model_copy(update={**changes, "model": model})
    return Plan(planned, {"image": CANVAS_RULE if free else RULE}, (*notes, *told))


async def plan_styling(request: StylizeImage, source: Header | None, catalogue: Catalogue) -> Plan:
    """A stylize_image request with its style's id; a source small enough may be sent as base64."""
    if source is not None and request.width and request.height:
        off = abs(request.width * source.height / (request.height * source.width) - 1)
        if off > RATIO_TOLERANCE:
            raise InvalidRequest(
                f"width, height: {request.width}x{request.height} has not the source's ratio "
                f"({source.width}x{source.height})."
            )
    style, notes = await service_model(catalogue, "style", request.style, field="style")
    small = source is None or source.size_bytes <= MAX_BASE64_SOURCE_BYTES
    deliveries = (Delivery.LINK, Delivery.BASE64) if small else (Delivery.LINK,)
    return Plan(request.model_copy(update={"style": style}), {"image": ImageRule(deliveries=deliveries)}, notes)


def plan_detection(request: DetectFaces) -> Plan:
    """A detect_faces request; nothing is left open."""
    return Plan(request, {"image": RULE})


async def plan_swap(request: SwapFaces, catalogue: Catalogue) -> Plan:
    """A swap_faces request with its model and every face's number."""
    check_width("prompt", request.prompt, FACE_PROMPT_WIDTH)
    model, notes = await service_model(catalogue, "face", request.model, usual=SWAP_MODELS[request.style])
    faces = tuple(
        face.model_copy(update={"index": face.index or 0, "target_index": target})
        for face, target in zip(request.faces, request.targets(), strict=True)
    )
    likeness = NEARLY_ZERO if request.likeness == 0 else request.likeness
    planned = request.model_copy(update={"model": model, "faces": faces, "likeness": likeness})
    told = [f"face {i} replaces face {face.target_index}" for i, face in enumerate(faces)]
    guessed = any(face.target_index is None for face in request.faces)
    return Plan(planned, {place: RULE for place, _ in planned.pictures()}, (*notes, *told) if guessed else notes)


async def plan_training(request: TrainLora, catalogue: Catalogue) -> Plan:
    """A train_lora request with its base checked.

    Raises ``InvalidRequest`` for fewer than ten different pictures (contract: lora.train.images_limits).
    """
    if request.dataset_ids:
        raise InvalidRequest(
            "dataset_ids: MHAPI keeps no data sets; give images.",
            then="Or name the service that keeps them as provider.",
        )
    if request.subject not in MAIN_OBJECTS:
        raise InvalidRequest(f"subject: MHAPI learns {' or '.join(MAIN_OBJECTS)}, not {request.subject}.")
    distinct = len(set(request.images))
    if distinct < LEAST_TRAINING_IMAGES:
        raise InvalidRequest(f"images: at least {LEAST_TRAINING_IMAGES} different pictures are needed, not {distinct}.")
    for name, limit in (("name", 64), ("trigger", 256), ("description", 1024)):
        check_width(name, getattr(request, name), limit)
    base, notes = await service_model(catalogue, "training_base", request.base, field="base")
    rules = {place: RULE for place, _ in request.pictures()}
    return Plan(request.model_copy(update={"base": base}), rules, notes)
