"""Cutting out whatever an image shows, without marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import SMALL_SOURCE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import MhapiOperation, MhapiPayload, get_link
from atelier_mcp.server.requests.edit import SegmentImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader


class MhapiSegmentation(MhapiOperation[SegmentImage]):
    """``segment_image``; the service is called split."""

    request_type = SegmentImage

    async def plan(self, request: SegmentImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its model: the first listed, none is documented."""
        model, notes = await choose_service_model(self._model_list, "segment", request.model)
        return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)

    def build_payload(self, request: SegmentImage, links: Mapping[str, str]) -> MhapiPayload:
        """Neither hd_ratio nor a watermark belongs here (contract: split.imgen.hd_ratio, split.imgen.watermark)."""
        # No samples either: there is one result.
        body = {"model_id": request.model, "img_url": get_link(links, "image"), "format": request.format.upper()}
        return MhapiPayload("/v1/split/imgen", "split", body)
