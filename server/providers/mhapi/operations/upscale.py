"""Making an image larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import SMALL_SOURCE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.requests.edit import UpscaleImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

DEFAULT_MODEL = "super_resolution_v1"


class MhapiUpscaling(MhapiOperation[UpscaleImage]):
    """``upscale_image``."""

    request_type = UpscaleImage

    async def plan(self, request: UpscaleImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its model."""
        model, notes = await choose_service_model(self._model_list, "upscale", request.model, default_id=DEFAULT_MODEL)
        return Plan(request.model_copy(update={"model": model}), {"image": SMALL_SOURCE_RULE}, notes)

    def build_payload(self, request: UpscaleImage, links: Mapping[str, str]) -> MhapiPayload:
        """The ratio as a number."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "hd_ratio": request.ratio,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/sup_res/imgen", "sup_res", body)
