"""A complete answer as a result: words, a picture, the news that it would draw, or a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.base import Done, Output
from atelier_mcp.server.providers.sensenova.errors import refused_drawing
from atelier_mcp.server.providers.sensenova.wire import Piece, Usage
from atelier_mcp.server.requests.chat import ChatWithImage

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import Account
    from atelier_mcp.server.requests.chat import Chat

INTENT_MARK: Final = "This is a drawing request*&^**#"
LINKS: Final = ("http://", "https://")
TAIL_CHARS: Final = 80
_BETWEEN_LINKS: Final = re.compile(r"[\s,]+(?=https?://)")


@dataclass(slots=True)
class Reply:
    """An answer as far as it has come."""

    words: str = ""
    finish_reason: str = ""
    ended: bool = False
    """It said that it was complete, or came whole."""
    picture: bool = False
    usage: Usage = field(default_factory=Usage)

    def add(self, piece: Piece) -> None:
        """Take in one piece; that a picture is meant may be said late (contract: picture_in_stream)."""
        self.words += piece.words
        self.picture = self.picture or bool(piece.usage.picture)
        self.usage = piece.usage
        if piece.finish_reason:
            self.finish_reason, self.ended = piece.finish_reason, True

    def links(self) -> tuple[str, ...]:
        """The pictures' addresses; none where the request was not taken for a drawing, or drawing was refused."""
        parts = _BETWEEN_LINKS.split(self.words.strip())
        return tuple(parts) if self.picture and all(_is_link(part) for part in parts) else ()

    def tail(self) -> str:
        """The last words for a progress line; links and the mark of an intent are not for eyes."""
        said = self.words.strip()
        if said.startswith(LINKS):
            return "drawn"
        if not said or INTENT_MARK.startswith(said):
            return "answering"
        line = " ".join(said.split())
        return line if len(line) <= TAIL_CHARS else f"…{line[-TAIL_CHARS:]}"


def result_of(reply: Reply, request: Chat, *, account: Account) -> Done:
    """What a complete answer comes to; raises the refusal it may be. Words alone count as no picture.

    The mark is compared with the whole text, which may have come in pieces (contract: intent_marker).
    """
    said = reply.words.strip()
    if said == INTENT_MARK:
        return Done(data=_data(reply, text="", would_draw=True), cost=0)
    if not reply.picture:
        return Done(data=_data(reply, text=reply.words.strip("\n"), would_draw=False), cost=0)
    links = reply.links()
    if not links:
        raise refused_drawing(said, account=account)
    seed = request.seed if isinstance(request, ChatWithImage) and len(links) == 1 else None
    return Done(tuple(Output(url=link, seed=seed) for link in links), data=_data(reply, text="", would_draw=True))


def _is_link(text: str) -> bool:
    return text.startswith(LINKS) and not re.search(r"\s", text)


def _data(reply: Reply, *, text: str, would_draw: bool) -> dict[str, Any]:
    """The answer beside its pictures; only the counts of the last piece are meant (contract: usage_sum)."""
    data: dict[str, Any] = {"text": text, "would_draw": would_draw, "finish_reason": reply.finish_reason}
    if reply.usage.total_tokens:
        data["tokens"] = reply.usage.total_tokens
    return data
