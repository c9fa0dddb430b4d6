"""An image in words. The vendor withdrew this later: any refusal means that it is not to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ContentRefused, InvalidRequest, OperatorError, UpstreamFailed
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection
from atelier_mcp.server.providers.miaohua.operation import build_plan
from atelier_mcp.server.providers.miaohua.wire import unwrap_info
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan, SubmitCall
    from atelier_mcp.server.providers.miaohua.operation import MiaohuaAccount

TIMEOUT_S = 120.0


class MiaohuaDescription(JobOperation[DescribeImage]):
    """``describe_image``; the answer is the result, and no slot is needed."""

    request_type = DescribeImage

    def __init__(self, account: MiaohuaAccount) -> None:
        """Work for this account."""
        self._account = account

    async def plan(self, request: DescribeImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """As it is. Raises ``InvalidRequest`` for a question."""
        if request.question is not None:
            raise InvalidRequest(
                "question: Miaohua describes a picture and answers no question about it.",
                hint="Leave it out; the answer may be in the description.",
            )
        return build_plan(request)

    async def submit(
        self,
        request: DescribeImage,  # noqa: ARG002  # its image is all there is to it
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """Upload the image, given as base64, and ask."""
        call.report(None, "uploading")
        links = await self._account.uploader.upload_all(images)
        http_request = HttpRequest(
            "POST", "/img2txt", is_submit=True, body={"init_img": links["image"]}, read_timeout_s=TIMEOUT_S
        )
        try:
            document = await self._account.session.send_past_image_check(http_request)
        except MiaohuaRejection as err:
            raise self._build_error(err) from None
        description = unwrap_info(document)
        if not isinstance(description, str) or not description.strip():
            raise UpstreamFailed("Miaohua answered without a description.")
        return TaskSucceeded(data={"text": description.strip()})

    def _build_error(self, rejection: MiaohuaRejection) -> Exception:
        # these two are worth their own words: another image, or another setting, helps
        if isinstance(rejection.error, ContentRefused | OperatorError):
            return rejection.error
        reason = self._account.session.client.quote(rejection.fault.message)
        return UpstreamFailed(f"Miaohua does not describe pictures at present. {reason}")
