"""``generate_image``: from words, or from words and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan, UpstreamTask
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.plan_defaults import choose_size, format_choices, refuse_unsupported_fields
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_paint.session import PaintSession

SUPPORTED_FIELDS: Final = frozenset({"prompt", "image", "width", "height", "aspect"})
SOURCE_RULE: Final = ImageRule(max_side_px=2048, max_bytes=4_000_000, deliveries=(DeliveryMethod.BASE64,))


class PaintGeneration(JobOperation[GenerateImage]):
    """Paint draws one picture at a time."""

    request_type = GenerateImage

    def __init__(self, session: PaintSession) -> None:
        """Send by ``session``."""
        self._session = session

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """Fill in the size, refuse what Paint does not have; spends nothing."""
        refuse_unsupported_fields(request, service="Paint", supported=SUPPORTED_FIELDS)
        width, height = choose_size(request, headers.get("image"))
        planned = request.model_copy(update={"width": width, "height": height, "aspect": None})
        rules = {"image": SOURCE_RULE} if request.image else {}
        return Plan(planned, rules, notes=(format_choices(request, planned),))

    async def submit(self, request: GenerateImage, images: Mapping[str, str], call: SubmitCall) -> UpstreamTask:
        """Send it once; ``images`` holds the source as base64, as the rule asked."""
        size = {"width": request.width, "height": request.height}
        source = {"source": images["image"]} if request.image else {}
        body = {"prompt": request.prompt, **size, **source}
        http_request = HttpRequest("POST", "/v1/pictures", is_submit=True, body=body)
        match await self._session.send(http_request):
            case {"task_id": str(task_id)}:
                return UpstreamTask(task_id, kind="pictures")
            case _:
                raise self._session.client.build_unreadable_error(http_request)
