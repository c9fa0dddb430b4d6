"""Which plan belongs to which request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.mhapi import editing
from atelier_mcp.server.providers.mhapi.generation import plan_generation
from atelier_mcp.server.requests.create import GenerateImage
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.mhapi.catalogue import Catalogue
    from atelier_mcp.server.requests.base import Request


async def plan_request(request: Request, pictures: Mapping[str, Header], catalogue: Catalogue) -> Plan:  # noqa: C901  # one line per capability
    """The request as MHAPI will get it.

    Raises ``InvalidRequest`` for a capability it does not have, and for what a chosen model cannot do.
    """
    match request:
        case GenerateImage():
            return await plan_generation(request, pictures, catalogue)
        case InpaintImage():
            return await editing.plan_inpainting(request, catalogue)
        case EraseObject() | CutOutSubject():
            return await editing.plan_erasing(request, catalogue)
        case SegmentImage():
            return await editing.plan_segmentation(request, catalogue)
        case UpscaleImage():
            return await editing.plan_upscaling(request, catalogue)
        case OutpaintImage():
            return await editing.plan_outpainting(request, pictures.get("image"), catalogue)
        case StylizeImage():
            return await editing.plan_styling(request, pictures.get("image"), catalogue)
        case DetectFaces():
            return editing.plan_detection(request)
        case SwapFaces():
            return await editing.plan_swap(request, catalogue)
        case TrainLora():
            return await editing.plan_training(request, catalogue)
        case _:
            raise InvalidRequest(f"MHAPI cannot {request.capability.replace('_', ' ')}.")
