"""Redrawing an image in a style: as a job, or with the result in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused, InvalidRequest
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.requests.edit import StylizeImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

MAX_BASE64_CHARS = 6_999_999
MAX_BASE64_SOURCE_BYTES = MAX_BASE64_CHARS // 4 * 3
RATIO_TOLERANCE = 0.01


class MhapiStylization(MhapiOperation[StylizeImage]):
    """``stylize_image``."""

    request_type = StylizeImage

    async def plan(self, request: StylizeImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its style's id; a source small enough may be sent as base64."""
        source = headers.get("image")
        if source is not None:
            _check_ratio(request, source)
        style, notes = await choose_service_model(self._model_list, "style", request.style, field="style")
        is_small = source is None or source.size_bytes <= MAX_BASE64_SOURCE_BYTES
        deliveries = (DeliveryMethod.LINK, DeliveryMethod.BASE64) if is_small else (DeliveryMethod.LINK,)
        return Plan(request.model_copy(update={"style": style}), {"image": ImageRule(deliveries=deliveries)}, notes)

    def build_payload(self, request: StylizeImage, links: Mapping[str, str]) -> MhapiPayload:
        """What went in as base64 comes back as base64: such a server may have no way to the vendor's files."""
        source = get_link(links, "image")
        is_link = source.startswith(("http://", "https://"))
        if not is_link and len(source) > MAX_BASE64_CHARS:
            raise ImageRefused(
                f"image: too large to be sent inside the request ({MAX_BASE64_CHARS} characters of base64)."
            )
        body = {
            "model_id": request.style,
            "img_url": source if is_link else None,
            "img_base64": None if is_link else source,
            "samples": request.samples,
            "width": request.width,
            "height": request.height,
            **build_output_options(request),
        }
        if request.direct:
            body["get_type"] = "url" if is_link else "base64"
            return MhapiPayload("/v1/stylization/imgen_sync", "stylization", body, is_sync=True)
        # the kind tells the poller how to have the result handed over, and how few fit into one answer
        return MhapiPayload("/v1/stylization/imgen", "stylization" if is_link else "stylization.base64", body)


def _check_ratio(request: StylizeImage, source: ImageHeader) -> None:
    """Raise ``InvalidRequest`` where the asked size has another ratio than the source."""
    if not (request.width and request.height):
        return
    deviation = abs(request.width * source.height / (request.height * source.width) - 1)
    if deviation > RATIO_TOLERANCE:
        raise InvalidRequest(
            f"width, height: {request.width}x{request.height} has not the source's ratio "
            f"({source.width}x{source.height})."
        )
