"""What SenseNova answers, read liberally (contract: envelope, text_key, success_code)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from atelier_mcp.server.providers.reading import Documents, Text, Wire, read

SUCCESS = frozenset({0, 200})


def _words(value: Any) -> Any:
    """The text of a message that is an object with content; null is empty."""
    if isinstance(value, dict):
        value = value.get("content")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    return "" if value is None else value  # pyright: ignore[reportUnknownVariableType]  # any JSON


Words = Annotated[str, BeforeValidator(_words)]


class Choice(Wire):
    """One answer, or in a stream a piece of it."""

    content: Words = ""
    message: Words = ""
    delta: Words = ""
    finish_reason: Text = ""


class Usage(Wire):
    """What was counted; ``picture`` tells how the request was taken."""

    picture: bool | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class Data(Wire):
    """The inside of the envelope."""

    id: Text = ""
    choices: Documents = Field(default_factory=list[dict[str, Any]])
    usage: Usage | None = None


class Envelope(Wire):
    """A whole answer, a chunk of a stream, or an error."""

    code: int | None = None
    msg: Text = ""
    message: Text = ""
    data: Data | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What one document adds to the answer."""

    words: str
    finish_reason: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Fault:
    """A document that is an error."""

    code: int
    message: str


def piece_in(document: Any, *, streamed: bool) -> Piece | Fault | None:
    """The document's words or its error; None where it is neither."""
    envelope = read(Envelope, document)
    if envelope is None or (envelope.code is None and envelope.data is None):
        return None
    if envelope.code not in {None, *SUCCESS}:
        return Fault(envelope.code or 0, envelope.msg or envelope.message)
    if envelope.data is None:
        return None
    choice = read(Choice, envelope.data.choices[0]) if envelope.data.choices else Choice()
    if choice is None:
        return None
    words = (
        (choice.delta, choice.content, choice.message) if streamed else (choice.content, choice.message, choice.delta)
    )
    said = next((text for text in words if text), "")
    return Piece(said, choice.finish_reason, envelope.data.usage or Usage())
