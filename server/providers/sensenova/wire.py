"""What SenseNova answers, read liberally (contract: envelope, text_key, success_code)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from atelier_mcp.server.providers.wire import JsonObjects, Strings, Text, WireModel, parse_model

SUCCESS_CODES = frozenset({0, 200})


def _parse_text(value: Any) -> Any:
    """The text of a message that is an object with content; null is empty."""
    if isinstance(value, dict):
        value = value.get("content")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    return "" if value is None else value  # pyright: ignore[reportUnknownVariableType]  # any JSON


ContentText = Annotated[str, BeforeValidator(_parse_text)]
DataStatus = Annotated[int, BeforeValidator(lambda value: value if type(value) is int else 0)]
"""0 is success; what is no number says nothing (contract: chat_completions.data_status)."""


class SensenovaChoiceBody(WireModel):
    """One answer, or in a stream a piece of it."""

    content: ContentText = ""
    message: ContentText = ""
    delta: ContentText = ""
    finish_reason: Text = ""


class SensenovaUsageBody(WireModel):
    """What was counted; ``picture`` tells how the request was taken."""

    picture: bool | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class SensenovaDataBody(WireModel):
    """The inside of the envelope."""

    id: Text = ""
    choices: JsonObjects = Field(default_factory=list[dict[str, Any]])
    usage: SensenovaUsageBody | None = None
    status: DataStatus = 0
    remarks: Strings = Field(default_factory=list[str])
    """What the built-in emulator says of its picture (contract: fusion_chat_with_image.remarks)."""


class SensenovaEnvelopeBody(WireModel):
    """A whole answer, a chunk of a stream, or an error."""

    code: int | None = None
    msg: Text = ""
    message: Text = ""
    data: SensenovaDataBody | None = None


@dataclass(frozen=True, slots=True)
class SensenovaChunk:
    """What one document adds to the answer."""

    text: str
    finish_reason: str
    usage: SensenovaUsageBody
    status: int = 0
    """0, or how the answer failed, whatever ``code`` says."""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SensenovaFault:
    """A document that is an error."""

    code: int
    message: str


def parse_chunk(document: Any, *, is_stream: bool) -> SensenovaChunk | SensenovaFault | None:
    """The document's words or its error; None where it is neither."""
    envelope = parse_model(SensenovaEnvelopeBody, document)
    if envelope is None or (envelope.code is None and envelope.data is None):
        return None
    # Absent in streams, 0 in one sample, 200 in another (contract: success_code).
    if envelope.code not in {None, *SUCCESS_CODES}:
        return SensenovaFault(envelope.code or 0, envelope.msg or envelope.message)
    if envelope.data is None:
        return None
    choice = (
        parse_model(SensenovaChoiceBody, envelope.data.choices[0]) if envelope.data.choices else SensenovaChoiceBody()
    )
    if choice is None:
        return None
    texts = (
        (choice.delta, choice.content, choice.message) if is_stream else (choice.content, choice.message, choice.delta)
    )
    first_text = next((text for text in texts if text), "")
    usage = envelope.data.usage or SensenovaUsageBody()
    remarks = tuple(envelope.data.remarks)
    return SensenovaChunk(first_text, choice.finish_reason, usage, envelope.data.status, remarks)
