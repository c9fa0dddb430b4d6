"""How requests are made ready for Miaohua: what the caller left open filled in, what it cannot do refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Delivery, ImageRule, Plan
from atelier_mcp.server.providers.miaohua.catalogue import AUTOMATIC, UNREADABLE_LIST, same_name
from atelier_mcp.server.providers.miaohua.generation import plan_generation
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.datasets import AddDatasetImages, CreateDataset, ListDatasets, RemoveDatasetImages
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.miaohua.catalogue import Catalogue
    from atelier_mcp.server.requests.base import Request

RULE = ImageRule(max_side_px=6144, max_bytes=5_000_000, deliveries=(Delivery.UPLOAD,))
"""What the upload takes (contract: limits.upload); every picture goes through it (contract: task_submit.init_img)."""
RATIOS = (1.25, 1.5, 2.0)
USUAL_RATIO = 1.5
MOST_TRAINING_IMAGES = 100
"""All of them pass through this process at once; a larger set is made of several calls of add_dataset_images."""
USUAL_NAME = "Untitled LoRA"


async def plan_request(request: Request, pictures: Mapping[str, Header], catalogue: Catalogue) -> Plan:
    """The request as Miaohua will get it.

    Raises ``InvalidRequest`` for a capability it does not have, and for what it cannot do.
    """
    match request:
        case GenerateImage():
            planned, notes = await plan_generation(request, pictures.get("image"), catalogue)
        case OutpaintImage():
            planned, notes = _extension(request)
        case DescribeImage():
            planned, notes = _description(request)
        case TrainLora():
            planned, notes = await _training(request, catalogue)
        case CreateDataset() | AddDatasetImages() | RemoveDatasetImages() | ListDatasets():
            planned, notes = request, ()
        case _:
            raise InvalidRequest(f"Miaohua cannot {request.capability.replace('_', ' ')}.")
    return Plan(planned, {place: RULE for place, _ in planned.pictures()}, notes)


def _extension(request: OutpaintImage) -> tuple[OutpaintImage, tuple[str, ...]]:
    """Three ratios and nine places are all there is (contract: task_submit.outpaint_config)."""
    if request.width is not None:
        raise InvalidRequest("width, height: Miaohua extends by a ratio only; give ratio and position instead.")
    if request.model is not None:
        raise InvalidRequest("model: Miaohua has one way to extend pictures; leave it out.")
    ratio = request.ratio or USUAL_RATIO
    if ratio not in RATIOS:
        raise InvalidRequest(f"ratio: Miaohua extends by {', '.join(f'{r:g}' for r in RATIOS)}; not by {ratio:g}.")
    notes = () if request.ratio else (f"ratio {ratio:g}",)
    return request.model_copy(update={"ratio": ratio}), notes


def _description(request: DescribeImage) -> tuple[DescribeImage, tuple[str, ...]]:
    if request.prompt is not None:
        raise InvalidRequest("prompt: Miaohua describes a picture and answers no question about it; leave it out.")
    return request, ()


async def _training(request: TrainLora, catalogue: Catalogue) -> tuple[TrainLora, tuple[str, ...]]:
    """With a name, and a base from the list."""
    if len(request.images) > MOST_TRAINING_IMAGES:
        raise InvalidRequest(
            f"images: {len(request.images)}; at most {MOST_TRAINING_IMAGES} in one call.",
            then="Make a data set with create_dataset and add_dataset_images, then give dataset_ids.",
        )
    changes: dict[str, Any] = {"name": request.name or USUAL_NAME, "base": await _base(request.base, catalogue)}
    notes = ["the name of the LoRA is Untitled LoRA"] if request.name is None else []
    if request.queue != "normal":
        notes.append("Miaohua has one queue for all trainings")
        changes["queue"] = "normal"
    return request.model_copy(update=changes), tuple(notes)


async def _base(wanted: str, catalogue: Catalogue) -> str:
    if wanted.lower() == AUTOMATIC:
        return AUTOMATIC
    try:
        bases = await catalogue.training_bases()
    except UNREADABLE_LIST:
        return wanted
    for base in bases:
        if base.id == wanted or same_name(base.name, wanted):
            return base.id
    known = ", ".join(base.id for base in bases)
    raise InvalidRequest(f"base: Miaohua cannot train on {wanted!r}; there is {known}.")
