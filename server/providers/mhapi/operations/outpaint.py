"""Continuing an image beyond its borders: in its ratio, or anywhere in a free canvas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.canvas import keeps_ratio, plan_free_canvas
from atelier_mcp.server.providers.mhapi.checks import CANVAS_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.outpaint_canvas import compute_canvas
from atelier_mcp.server.requests.edit import OutpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.outpaint_canvas import WantedCanvas


class MhapiOutpainting(MhapiOperation[OutpaintImage]):
    """``outpaint_image``."""

    request_type = OutpaintImage

    async def plan(self, request: OutpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model; what is sent is the next canvas the service can do, and the asked one is cut out of it."""
        source = headers["image"].width, headers["image"].height
        canvas = compute_canvas(request, source)
        model, notes = await choose_service_model(self._model_list, "outpaint", request.model)
        planned = request.model_copy(update={"model": model})
        changes, finish, rule = _plan_call(request, canvas, source)
        return Plan(
            planned,
            {"image": rule},
            (*notes, str(canvas)),
            sent_request=planned.model_copy(update=changes),
            finish=finish,
        )

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
        if request.x is not None and request.y is not None:
            placement = {"free_x": request.x, "free_y": request.y}
            return MhapiPayload("/v1/outpaint/imgen_free", "outpaint", body | placement)
        # A scale, or a size; what is None of the two is left out.
        alignment = {"outpaint_ratio": request.scale, "align_position": request.position}
        return MhapiPayload("/v1/outpaint/imgen", "outpaint", body | alignment)


def _plan_call(request: OutpaintImage, canvas: WantedCanvas, source: Size) -> tuple[dict[str, Any], Reframe, ImageRule]:
    """The fields of one call or the other, what is done with its picture, and the rule for the source."""
    if not keeps_ratio(request, canvas, source):
        sent = plan_free_canvas(canvas, source)
        fields = {"width": sent.width, "height": sent.height, "x": sent.x, "y": sent.y, "scale": None}
        return fields, sent.finish, replace(CANVAS_RULE, resize_to=sent.source)
    finish = Reframe(size=canvas.size, canvas=canvas.size, source="image", at=(canvas.x, canvas.y))
    fields = {"x": None, "y": None}
    if request.scale is not None:  # one kind only (contract: outpaint.imgen.size_precedence)
        return {**fields, "width": None, "height": None}, finish, CANVAS_RULE
    return {**fields, "width": canvas.width, "height": canvas.height}, finish, CANVAS_RULE
