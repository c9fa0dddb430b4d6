"""Which plan belongs to which request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.mhapi import edit_plans
from atelier_mcp.server.providers.mhapi.generation_plan import plan_generation
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

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList
    from atelier_mcp.server.requests.base import Request


async def plan_request(request: Request, headers: Mapping[str, ImageHeader], model_list: MhapiModelList) -> Plan:  # noqa: C901  # one line per capability
    """The request as MHAPI will get it.

    Raises ``InvalidRequest`` for a capability it does not have, and for what a chosen model cannot do.
    """
    match request:
        case GenerateImage():
            return await plan_generation(request, headers, model_list)
        case InpaintImage():
            return await edit_plans.plan_inpainting(request, model_list)
        case EraseObject() | CutOutSubject():
            return await edit_plans.plan_erasing(request, model_list)
        case SegmentImage():
            return await edit_plans.plan_segmentation(request, model_list)
        case UpscaleImage():
            return await edit_plans.plan_upscaling(request, model_list)
        case OutpaintImage():
            return await edit_plans.plan_outpainting(request, headers.get("image"), model_list)
        case StylizeImage():
            return await edit_plans.plan_styling(request, headers.get("image"), model_list)
        case DetectFaces():
            return edit_plans.plan_detection(request)
        case SwapFaces():
            return await edit_plans.plan_swap(request, model_list)
        case TrainLora():
            return await edit_plans.plan_training(request, model_list)
        case _:
            raise InvalidRequest(f"MHAPI cannot {request.capability.replace('_', ' ')}.")
