"""A complete answer as a result: words, a picture, the news that it would draw, or a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.providers.sensenova.errors import build_drawing_error, build_status_error
from atelier_mcp.server.providers.sensenova.wire import SensenovaChunk, SensenovaUsageBody
from atelier_mcp.server.requests.chat import ChatWithImage

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.requests.chat import Chat

INTENT_MARK: Final = "This is a drawing request*&^**#"
LINKS: Final = ("http://", "https://")
TAIL_CHARS: Final = 80
_BETWEEN_LINKS: Final = re.compile(r"[\s,]+(?=https?://)")


@dataclass(slots=True)
class SensenovaCompletion:
    """An answer as far as it has come."""

    text: str = ""
    finish_reason: str = ""
    is_complete: bool = False
    """It said that it was complete, or came whole."""
    has_image: bool = False
    usage: SensenovaUsageBody = field(default_factory=SensenovaUsageBody)
    status: int = 0
    """Other than 0 when the service says that the answer failed."""
    remarks: tuple[str, ...] = ()

    def add_chunk(self, chunk: SensenovaChunk) -> None:
        """Take in one piece; that a picture is meant may be said late (contract: picture_in_stream)."""
        self.text += chunk.text
        self.has_image = self.has_image or bool(chunk.usage.picture)
        self.usage = chunk.usage
        self.status = chunk.status or self.status
        self.remarks += chunk.remarks
        if chunk.finish_reason:
            self.finish_reason = chunk.finish_reason
        self.is_complete = self.is_complete or bool(chunk.finish_reason or chunk.status)

    def parse_image_links(self) -> tuple[str, ...]:
        """The pictures' addresses; none where the request was not taken for a drawing, or drawing was refused."""
        parts = _BETWEEN_LINKS.split(self.text.strip())
        return tuple(parts) if self.has_image and all(_is_link(part) for part in parts) else ()

    def format_tail(self) -> str:
        """The last words for a progress line; links and the mark of an intent are not for eyes."""
        text = self.text.strip()
        if text.startswith(LINKS):
            return "drawn"
        if not text or INTENT_MARK.startswith(text):
            return "answering"
        line = " ".join(text.split())
        return line if len(line) <= TAIL_CHARS else f"…{line[-TAIL_CHARS:]}"


def build_result(reply: SensenovaCompletion, request: Chat, *, client: UpstreamClient) -> TaskSucceeded:
    """What a complete answer comes to; raises the refusal it may be. Words alone count as no picture.

    The mark is compared with the whole text, which may have come in pieces (contract: intent_marker).
    """
    text = reply.text.strip()
    links = reply.parse_image_links()
    # a picture that was drawn is kept, whatever the status says beside it
    if reply.status and not links and (error := build_status_error(reply.status, reply.text, client=client)):
        raise error
    # Asked not to draw, the service says only that it would.
    if text == INTENT_MARK:
        return TaskSucceeded(data=_build_data(reply, text="", would_draw=True), image_count=0)
    if not reply.has_image:
        return TaskSucceeded(data=_build_data(reply, text=reply.text.strip("\n"), would_draw=False), image_count=0)
    if not links:
        raise build_drawing_error(text, client=client)
    seed = request.seed if isinstance(request, ChatWithImage) and len(links) == 1 else None
    data = _build_data(reply, text="", would_draw=True)
    if remarks := client.clean("; ".join(reply.remarks)):
        data["remarks"] = remarks
    return TaskSucceeded(tuple(OutputImage(url=link, seed=seed) for link in links), data=data)


def _is_link(text: str) -> bool:
    return text.startswith(LINKS) and not re.search(r"\s", text)


def _build_data(reply: SensenovaCompletion, *, text: str, would_draw: bool) -> dict[str, Any]:
    """The answer beside its pictures; only the counts of the last piece are meant (contract: usage_sum)."""
    data: dict[str, Any] = {"text": text, "would_draw": would_draw, "finish_reason": reply.finish_reason}
    if reply.usage.total_tokens:
        data["tokens"] = reply.usage.total_tokens
    return data
