"""How every request but generate_image is made ready for MHAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.canvas import check_sides, is_free_canvas, plan_canvas, plan_ratio
from atelier_mcp.server.providers.mhapi.checks import (
    CANVAS_RULE,
    IMAGE_RULE,
    MASK_RULE,
    MAX_FACE_PROMPT_WIDTH,
    MAX_INPAINT_SEED,
    NEARLY_ZERO,
    SMALL_SOURCE_RULE,
    build_seed_notes,
    check_seed,
    check_width,
    choose_service_model,
)

if TYPE_CHECKING:
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList
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

DEFAULT_ERASE_MODEL = "erase_v0.1"
DEFAULT_INPAINT_MODEL = "inpaint_v0.1"
DEFAULT_UPSCALE_MODEL = "super_resolution_v1"
SWAP_MODELS = {"normal": "faceswap_v1", "anime": "faceswap_yw"}
"""The ids the contract names (enums.model_ids_named)."""
MAX_BASE64_CHARS = 6_999_999
MAX_BASE64_SOURCE_BYTES = MAX_BASE64_CHARS // 4 * 3
MAIN_OBJECTS = ("human", "style")
MIN_TRAINING_IMAGES = 10
RATIO_TOLERANCE = 0.01
IMAGE_AND_MASK_RULES = {"image": IMAGE_RULE, "mask": MASK_RULE}


async def plan_inpainting(request: InpaintImage, model_list: MhapiModelList) -> Plan:
    """An inpaint_image request with its model."""
    check_seed(request.seed, request.samples, MAX_INPAINT_SEED)
    check_width("prompt", request.prompt)
    check_width("negative_prompt", request.negative_prompt)
    model, notes = await choose_service_model(model_list, "inpaint", request.model, default_id=DEFAULT_INPAINT_MODEL)
    planned = request.model_copy(update={"model": model})
    return Plan(planned, IMAGE_AND_MASK_RULES, (*notes, *build_seed_notes(request.seed)))


async def plan_erasing(request: EraseObject | CutOutSubject, model_list: MhapiModelList) -> Plan:
    """An erase_object or cut_out_subject request with an erase model (contract: cutout.model_id)."""
    default_id = DEFAULT_ERASE_MODEL if request.capability == "erase_object" else ""
    model, notes = await choose_service_model(model_list, "erase", request.model, default_id=default_id)
    return Plan(request.model_copy(update={"model": model}), IMAGE_AND_MASK_RULES, notes)


async def plan_segmentation(request: SegmentImage, model_list: MhapiModelList) -> Plan:
    """A segment_image request with its model."""
    model, notes = await choose_service_model(model_list, "segment", request.model)
    return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)


async def plan_upscaling(request: UpscaleImage, model_list: MhapiModelList) -> Plan:
    """An upscale_image request with its model."""
    model, notes = await choose_service_model(model_list, "upscale", request.model, default_id=DEFAULT_UPSCALE_MODEL)
    return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)


async def plan_outpainting(request: OutpaintImage, source: ImageHeader | None, model_list: MhapiModelList) -> Plan:
    """An outpaint_image request with its model and either a ratio, both sides, or a whole canvas."""
    free = is_free_canvas(request, source)
    if free and source is not None:
        changes, canvas_notes = plan_canvas(request, source)
    elif request.width is None:
        changes, canvas_notes = plan_ratio(request, source)
    else:
        check_sides(request, source)
        changes, canvas_notes = dict[str, Any](), ()
    model, notes = await choose_service_model(model_list, "outpaint", request.model)
    planned = request.model_copy(update={**changes, "model": model})
    return Plan(planned, {"image": CANVAS_RULE if free else IMAGE_RULE}, (*notes, *canvas_notes))


async def plan_styling(request: StylizeImage, source: ImageHeader | None, model_list: MhapiModelList) -> Plan:
    """A stylize_image request with its style's id; a source small enough may be sent as base64."""
    if source is not None and request.width and request.height:
        deviation = abs(request.width * source.height / (request.height * source.width) - 1)
        if deviation > RATIO_TOLERANCE:
            raise InvalidRequest(
                f"width, height: {request.width}x{request.height} has not the source's ratio "
                f"({source.width}x{source.height})."
            )
    style, notes = await choose_service_model(model_list, "style", request.style, field="style")
    is_small = source is None or source.size_bytes <= MAX_BASE64_SOURCE_BYTES
    deliveries = (DeliveryMethod.LINK, DeliveryMethod.BASE64) if is_small else (DeliveryMethod.LINK,)
    return Plan(request.model_copy(update={"style": style}), {"image": ImageRule(deliveries=deliveries)}, notes)


def plan_detection(request: DetectFaces) -> Plan:
    """A detect_faces request; nothing is left open."""
    return Plan(request, {"image": IMAGE_RULE})


async def plan_swap(request: SwapFaces, model_list: MhapiModelList) -> Plan:
    """A swap_faces request with its model and every face's number."""
    check_width("prompt", request.prompt, MAX_FACE_PROMPT_WIDTH)
    model, notes = await choose_service_model(model_list, "face", request.model, default_id=SWAP_MODELS[request.style])
    faces = tuple(
        face.model_copy(update={"index": face.index or 0, "target_index": target})
        for face, target in zip(request.faces, request.assign_targets(), strict=True)
    )
    likeness = NEARLY_ZERO if request.likeness == 0 else request.likeness
    planned = request.model_copy(update={"model": model, "faces": faces, "likeness": likeness})
    face_notes = [f"face {i} replaces face {face.target_index}" for i, face in enumerate(faces)]
    has_open_targets = any(face.target_index is None for face in request.faces)
    return Plan(
        planned,
        {place: IMAGE_RULE for place, _ in planned.list_image_references()},
        (*notes, *face_notes) if has_open_targets else notes,
    )


async def plan_training(request: TrainLora, model_list: MhapiModelList) -> Plan:
    """A train_lora request with its base checked.

    Raises ``InvalidRequest`` for fewer than ten different pictures (contract: lora.train.images_limits).
    """
    if request.dataset_ids:
        raise InvalidRequest(
            "dataset_ids: MHAPI keeps no data sets; give images.",
            hint="Or name the service that keeps them as provider.",
        )
    if request.subject not in MAIN_OBJECTS:
        raise InvalidRequest(f"subject: MHAPI learns {' or '.join(MAIN_OBJECTS)}, not {request.subject}.")
    distinct = len(set(request.images))
    if distinct < MIN_TRAINING_IMAGES:
        raise InvalidRequest(f"images: at least {MIN_TRAINING_IMAGES} different pictures are needed, not {distinct}.")
    for name, limit in (("name", 64), ("trigger", 256), ("description", 1024)):
        check_width(name, getattr(request, name), limit)
    base, notes = await choose_service_model(model_list, "training_base", request.base, field="base")
    rules = {place: IMAGE_RULE for place, _ in request.list_image_references()}
    return Plan(request.model_copy(update={"base": base}), rules, notes)
