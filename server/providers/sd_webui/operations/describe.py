"""A picture in words, and the words it was made with where it holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import AtelierError, InvalidRequest, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import Plan, TaskSucceeded
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.sd_webui.errors import SdWebuiRejection
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiOperation
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall

INTERROGATE_PATH: Final = "/sdapi/v1/interrogate"
CAPTION_PATH: Final = "/sdapi/v1/caption"
"""SD.Next's name for it (contract: variants)."""
PNG_INFO_PATH: Final = "/sdapi/v1/png-info"
SENTENCE: Final = "clip"
WITHOUT_CAPTIONS: Final = frozenset({"forge_classic", "sdcpp"})


class SdWebuiDescription(SdWebuiOperation[DescribeImage]):
    """``describe_image``."""

    request_type = DescribeImage

    async def plan(self, request: DescribeImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """As it is. Raises ``InvalidRequest`` for a question, and where this server describes nothing."""
        facts = await self._account.probe.get()
        if request.prompt is not None:
            raise InvalidRequest("prompt: a WebUI describes a picture and answers no question about it; leave it out.")
        if facts.variant in WITHOUT_CAPTIONS:
            raise InvalidRequest(f"{facts.title} describes no pictures.")
        return Plan(request, {"image": SOURCE_RULE}, (await self._account.describe_choice(),))

    async def submit(
        self,
        request: DescribeImage,  # noqa: ARG002  # its picture is all there is to it
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """The first call of all loads a model there, or even fetches it (contract: interrogate.first_call)."""
        call.report(None, "looking")
        answer = await self._ask(images["image"])
        if "caption" not in answer:
            raise self._account.session.build_unreadable_error()
        caption = str(answer["caption"] or "").strip()
        if not caption:
            raise UpstreamFailed("The WebUI answered without a description.", spent=Spent.NOTHING)
        generation = await self._read_generation_text(images["image"])
        notes = [f"The picture says that it was made with: {generation}"] if generation else []
        return TaskSucceeded(data={"text": caption, **({"notes": notes} if notes else {})}, image_count=0)

    async def _ask(self, image: str) -> dict[str, Any]:
        session = self._account.session
        if (await self._account.probe.get()).variant == "sdnext":
            return await session.submit(CAPTION_PATH, {"image": image})
        return await session.submit(INTERROGATE_PATH, {"image": image, "model": SENTENCE})

    async def _read_generation_text(self, image: str) -> str:
        """What a WebUI wrote into the picture; nothing where it holds nothing, or cannot be asked."""
        try:
            document = await self._account.session.post(PNG_INFO_PATH, {"image": image})
        except (AtelierError, Rejection, SdWebuiRejection):
            return ""
        text = document.get("info") if isinstance(document, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # JSON
        return self._account.session.client.clean(text) if isinstance(text, str) else ""
