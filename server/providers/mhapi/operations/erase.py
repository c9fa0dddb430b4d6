"""Taking marked things out of an image, or all but them: two calls of one service, with one list of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import IMAGE_AND_MASK_RULES, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.requests.edit import CutOutSubject, EraseObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

DEFAULT_MODEL = "erase_v0.1"


class MhapiErasure(MhapiOperation[EraseObject]):
    """``erase_object``."""

    request_type = EraseObject

    async def plan(self, request: EraseObject, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its model."""
        model, notes = await choose_service_model(self._model_list, "erase", request.model, default_id=DEFAULT_MODEL)
        return Plan(request.model_copy(update={"model": model}), IMAGE_AND_MASK_RULES, notes)

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


class MhapiCutOut(MhapiOperation[CutOutSubject]):
    """``cut_out_subject``."""

    request_type = CutOutSubject

    async def plan(self, request: CutOutSubject, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With a model of the erase service, for it has no list of its own (contract: cutout.model_id)."""
        model, notes = await choose_service_model(self._model_list, "erase", request.model)
        return Plan(request.model_copy(update={"model": model}), IMAGE_AND_MASK_RULES, notes)

    def build_payload(self, request: CutOutSubject, links: Mapping[str, str]) -> MhapiPayload:
        """As for erasing; there is one result."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "mask_img_url": get_link(links, "mask"),
            "mask_type": request.mark,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/erase/cutout", "erase", body)
