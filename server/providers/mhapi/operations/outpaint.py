"""Continuing an image beyond its borders: by a ratio or to both sides, or anywhere in a free canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.canvas import check_sides, is_free_canvas, plan_canvas, plan_ratio
from atelier_mcp.server.providers.mhapi.checks import CANVAS_RULE, IMAGE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.requests.edit import OutpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader


class MhapiOutpainting(MhapiOperation[OutpaintImage]):
    """``outpaint_image``."""

    request_type = OutpaintImage

    async def plan(self, request: OutpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model and either a ratio, both sides, or a whole canvas."""
        source = headers.get("image")
        is_free = is_free_canvas(request, source)
        # without the source's size (its header was not read) an offset goes out as it was given
        if is_free and source is not None:
            changes, canvas_notes = plan_canvas(request, source)
        elif request.width is None:
            changes, canvas_notes = plan_ratio(request, source)
        else:
            check_sides(request, source)
            changes, canvas_notes = dict[str, Any](), ()
        model, notes = await choose_service_model(self._model_list, "outpaint", request.model)
        planned = request.model_copy(update={**changes, "model": model})
        return Plan(planned, {"image": CANVAS_RULE if is_free else IMAGE_RULE}, (*notes, *canvas_notes))

    def build_payload(self, request: OutpaintImage, links: Mapping[str, str]) -> MhapiPayload:
        """The call whose rules the plan kept: an offset is there only for a free canvas."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "samples": request.samples,
            "width": request.width,
            "height": request.height,
            **build_output_options(request),
        }
        if request.x is not None or request.y is not None:
            placement = {"free_x": request.x or 0, "free_y": request.y or 0}
            return MhapiPayload("/v1/outpaint/imgen_free", "outpaint", body | placement)
        # A ratio, or a size; what is None of the two is left out.
        alignment = {"outpaint_ratio": request.ratio, "align_position": request.position}
        return MhapiPayload("/v1/outpaint/imgen", "outpaint", body | alignment)
