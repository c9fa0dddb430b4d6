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
QUESTION_PATH: Final = "/sdapi/v1/vqa"
"""(contract: interrogate.questions)"""
PNG_INFO_PATH: Final = "/sdapi/v1/png-info"
SENTENCE: Final = "clip"
WITHOUT_CAPTIONS: Final = frozenset({"forge_classic", "sdcpp"})


class SdWebuiDescription(SdWebuiOperation[DescribeImage]):
    """``describe_image``."""

    request_type = DescribeImage

    async def plan(self, request: DescribeImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """As it is. Raises ``InvalidRequest`` where this server describes nothing, or answers no questions."""
        facts = await self._account.probe.get()
        if request.question is not None and facts.variant != "sdnext":
            raise InvalidRequest(
                f"question: {facts.title} describes a picture and answers no question about it; SD.Next does.",
                hint="Leave it out; the answer may be in the description.",
            )
        if facts.variant in WITHOUT_CAPTIONS:
            raise InvalidRequest(f"{facts.title} describes no pictures.")
        return Plan(request, {"image": SOURCE_RULE}, (await self._account.describe_choice(),))

    async def submit(
        self,
        request: DescribeImage,
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """The first call of all loads a model there, or even fetches it (contract: interrogate.first_call)."""
        call.report(None, "looking")
        if request.question is not None:
            return TaskSucceeded(data={"text": await self._answer(images["image"], request.question)}, image_count=0)
        caption = self._read_words(await self._ask(images["image"]), "caption")
        generation = await self._read_generation_text(images["image"])
        notes = [f"The picture says that it was made with: {generation}"] if generation else []
        return TaskSucceeded(data={"text": caption, **({"notes": notes} if notes else {})}, image_count=0)

    async def _answer(self, image: str, question: str) -> str:
        # Its newer revisions know names of tasks, and read other questions from the prompt.
        body = {"image": image, "question": question, "prompt": question}
        return self._read_words(await self._account.session.submit(QUESTION_PATH, body), "answer")

    def _read_words(self, answer: Mapping[str, Any], field: str) -> str:
        if field not in answer:
            raise self._account.session.build_unreadable_error()
        words = str(answer[field] or "").strip()
        if not words:
            raise UpstreamFailed("The WebUI answered without a word.", spent=Spent.NOTHING)
        return words

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
