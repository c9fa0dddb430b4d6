"""Taking marked things out of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import IMAGE_AND_MASK_RULES, IMAGE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.plan_defaults import keep_size
from atelier_mcp.server.requests.edit import EraseObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

DEFAULT_MODEL = "erase_v0.1"


class MhapiErasure(MhapiOperation[EraseObject]):
    """``erase_object``."""

    request_type = EraseObject

    async def plan(self, request: EraseObject, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model; the result has the source's size."""
        model, notes = await choose_service_model(self._model_list, "erase", request.model, default_id=DEFAULT_MODEL)
        finish = keep_size(headers["image"], IMAGE_RULE)
        return Plan(request.model_copy(update={"model": model}), IMAGE_AND_MASK_RULES, notes, finish=finish)

    def build_payload(self, request: EraseObject, links: Mapping[str, str]) -> MhapiPayload:
        """The mask, and what its marks are."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "mask_img_url": get_link(links, "mask"),
            "mask_type": request.mark,
            "samples": request.samples,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/erase/imgen", "erase", body)
