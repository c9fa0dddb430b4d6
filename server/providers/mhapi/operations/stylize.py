"""Redrawing an image in a style: as a job, or with the result in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.placement import crop_to_ratio, fit_over, fit_within
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import IMAGE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.plan_defaults import choose_sent_size, keep_size
from atelier_mcp.server.requests.edit import StylizeImage
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Finish, Size
    from atelier_mcp.server.images.probe import ImageHeader

MAX_BASE64_CHARS = 6_999_999
MAX_BASE64_SOURCE_BYTES = MAX_BASE64_CHARS // 4 * 3
RATIO_TOLERANCE = 0.01


class MhapiStylization(MhapiOperation[StylizeImage]):
    """``stylize_image``."""

    request_type = StylizeImage

    async def plan(self, request: StylizeImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its style's id; a source small enough may be sent as base64."""
        source = headers["image"]
        sent_size, finish, size_notes = _plan_size(request, source)
        style, notes = await choose_service_model(self._model_list, "style", request.style, field="style")
        is_small = source.size_bytes <= MAX_BASE64_SOURCE_BYTES
        deliveries = (DeliveryMethod.LINK, DeliveryMethod.BASE64) if is_small else (DeliveryMethod.LINK,)
        planned = request.model_copy(update={"style": style})
        width, height = sent_size or (None, None)
        return Plan(
            planned,
            {"image": ImageRule(deliveries=deliveries)},
            (*notes, *size_notes),
            sent_request=planned.model_copy(update={"width": width, "height": height}),
            finish=finish,
        )

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


def _plan_size(request: StylizeImage, source: ImageHeader) -> tuple[Size | None, Finish | None, tuple[str, ...]]:
    """What size the service is asked for, what is done with its picture, and what to tell.

    It keeps the source's ratio (contract: stylization.imgen): for another one, the middle of its picture is taken.
    """
    size = source.width, source.height
    ratio = parse_aspect(request.aspect) if request.aspect else size[0] / size[1]
    asked = complete_size(request.width, request.height, ratio)
    if asked is None and request.aspect is None:
        return None, keep_size(source, IMAGE_RULE), ()
    asked = asked or crop_to_ratio(size, ratio)
    sent = choose_sent_size(fit_over(size, asked))
    if sent == asked:
        return sent, None, ()
    part = fit_within(asked, sent)
    left, top = (sent[0] - part[0]) / 2, (sent[1] - part[1]) / 2
    region = (left, top, left + part[0], top + part[1])
    is_cropped = abs(asked[0] * size[1] / (asked[1] * size[0]) - 1) > RATIO_TOLERANCE
    notes = (f"cropped to the shape of {asked[0]}x{asked[1]}",) if is_cropped else ()
    return sent, Reframe(size=asked, canvas=sent, region=region), notes
