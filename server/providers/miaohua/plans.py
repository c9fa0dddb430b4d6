"""How requests are made ready for Miaohua: what the caller left open filled in, what it cannot do refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.miaohua.generation_plan import plan_generation
from atelier_mcp.server.providers.miaohua.model_list import AUTOMATIC_BASE, MODEL_LIST_ERRORS, is_same_name
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.datasets import AddDatasetImages, CreateDataset, ListDatasets, RemoveDatasetImages
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.miaohua.model_list import MiaohuaModelList
    from atelier_mcp.server.requests.base import Request

IMAGE_RULE = ImageRule(max_side_px=6144, max_bytes=5_000_000, deliveries=(DeliveryMethod.UPLOAD,))
"""What the upload takes (contract: limits.upload); every picture goes through it (contract: task_submit.init_img)."""
RATIOS = (1.25, 1.5, 2.0)
DEFAULT_RATIO = 1.5
MAX_TRAINING_IMAGES = 100
"""All of them pass through this process at once; a larger set is made of several calls of add_dataset_images."""
DEFAULT_NAME = "Untitled LoRA"


async def plan_request(request: Request, headers: Mapping[str, ImageHeader], model_list: MiaohuaModelList) -> Plan:
    """The request as Miaohua will get it.

    Raises ``InvalidRequest`` for a capability it does not have, and for what it cannot do.
    """
    match request:
        case GenerateImage():
            planned, notes = await plan_generation(request, headers.get("image"), model_list)
        case OutpaintImage():
            planned, notes = _plan_outpainting(request)
        case DescribeImage():
            planned, notes = _plan_description(request)
        case TrainLora():
            planned, notes = await _plan_training(request, model_list)
        case CreateDataset() | AddDatasetImages() | RemoveDatasetImages() | ListDatasets():
            planned, notes = request, ()
        case _:
            raise InvalidRequest(f"Miaohua cannot {request.capability.replace('_', ' ')}.")
    return Plan(planned, {place: IMAGE_RULE for place, _ in planned.list_image_references()}, notes)


def _plan_outpainting(request: OutpaintImage) -> tuple[OutpaintImage, tuple[str, ...]]:
    """Three ratios and nine places are all there is (contract: task_submit.outpaint_config)."""
    if request.width is not None:
        raise InvalidRequest("width, height: Miaohua extends by a ratio only; give ratio and position instead.")
    if request.model is not None:
        raise InvalidRequest("model: Miaohua has one way to extend pictures; leave it out.")
    ratio = request.ratio or DEFAULT_RATIO
    if ratio not in RATIOS:
        raise InvalidRequest(f"ratio: Miaohua extends by {', '.join(f'{r:g}' for r in RATIOS)}; not by {ratio:g}.")
    notes = () if request.ratio else (f"ratio {ratio:g}",)
    return request.model_copy(update={"ratio": ratio}), notes


def _plan_description(request: DescribeImage) -> tuple[DescribeImage, tuple[str, ...]]:
    if request.prompt is not None:
        raise InvalidRequest("prompt: Miaohua describes a picture and answers no question about it; leave it out.")
    return request, ()


async def _plan_training(request: TrainLora, model_list: MiaohuaModelList) -> tuple[TrainLora, tuple[str, ...]]:
    """With a name, and a base from the list."""
    if len(request.images) > MAX_TRAINING_IMAGES:
        raise InvalidRequest(
            f"images: {len(request.images)}; at most {MAX_TRAINING_IMAGES} in one call.",
            hint="Make a data set with create_dataset and add_dataset_images, then give dataset_ids.",
        )
    changes: dict[str, Any] = {
        "name": request.name or DEFAULT_NAME,
        "base": await _resolve_base(request.base, model_list),
    }
    notes = ["the name of the LoRA is Untitled LoRA"] if request.name is None else []
    if request.queue != "normal":
        notes.append("Miaohua has one queue for all trainings")
        changes["queue"] = "normal"
    return request.model_copy(update=changes), tuple(notes)


async def _resolve_base(requested_name: str, model_list: MiaohuaModelList) -> str:
    if requested_name.lower() == AUTOMATIC_BASE:
        return AUTOMATIC_BASE
    try:
        bases = await model_list.fetch_training_bases()
    except MODEL_LIST_ERRORS:
        return requested_name
    for base in bases:
        if base.id == requested_name or is_same_name(base.name, requested_name):
            return base.id
    base_ids = ", ".join(base.id for base in bases)
    raise InvalidRequest(f"base: Miaohua cannot train on {requested_name!r}; there is {base_ids}.")
