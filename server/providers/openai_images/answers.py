"""What a drawing call answers, read liberally: pictures, counts, and the reasons why there are none."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import ContentRefused, Spent, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.http import UpstreamClient

COMPLETED: Final = ("image_generation.completed", "image_edit.completed")


@dataclass(slots=True)
class DrawingAnswer:
    """What came of one call, as far as it has come."""

    outputs: list[OutputImage] = field(default_factory=list[OutputImage])
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reasons: list[str] = field(default_factory=list[str])
    """Why pictures are missing, in the service's words."""
    is_blocked: bool = False
    revised_prompt: str = ""
    remarks: list[str] = field(default_factory=list[str])
    """What the service says of the pictures, in its own words (contract: data.remarks)."""

    def add_document(self, document: Any) -> bool:
        """Take in a whole answer; False where it is none: an object without pictures, or with none that can be read."""
        if not isinstance(document, dict):
            return False
        answer = cast("dict[str, Any]", document)
        if (error := answer.get("error")) is not None:
            self.reasons.append(format_reason(error))
            return True
        # SiliconFlow answers in ``images``, most others in ``data`` (contract: tolerant_client).
        entries = next((answer[name] for name in ("data", "images") if isinstance(answer.get(name), list)), None)
        if entries is None:
            return False
        self.is_blocked |= answer.get("respect_moderation") is False
        self._add_usage(answer.get("usage"))
        self._add_remarks(answer.get("remarks"))
        for entry in cast("list[Any]", entries):
            self._add_entry(entry)
        is_clear = self.outputs or self.reasons or self.is_blocked
        return bool(is_clear) or not any(map(_is_garbled, cast("list[Any]", entries)))

    def add_event(self, event: Mapping[str, Any]) -> bool:
        """Take in one event of a stream; True where it is the last. Unknown ones say nothing."""
        kind = event.get("type")
        if kind in COMPLETED:
            self._add_entry(event)
            self._add_usage(event.get("usage"))
            self._add_remarks(event.get("remarks"))
            return not _is_garbled(event)
        if kind == "error" or (kind is None and "error" in event):
            self.reasons.append(format_reason(event.get("error")))
            return True
        return False

    def _add_entry(self, entry: Any) -> None:
        output = _read_output(entry)
        if output is not None:
            self.outputs.append(output)
        if isinstance(entry, dict):
            values = cast("dict[str, Any]", entry)
            self.is_blocked |= values.get("respect_moderation") is False
            if values.get("error") is not None:
                self.reasons.append(format_reason(values["error"]))
            self.revised_prompt = self.revised_prompt or str(values.get("revised_prompt") or "")

    def _add_remarks(self, remarks: Any) -> None:
        for remark in cast("list[Any]", remarks) if isinstance(remarks, list) else ():
            if isinstance(remark, str) and remark not in self.remarks:
                self.remarks.append(remark)

    def _add_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            counts = cast("dict[str, Any]", usage)
            names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
            self.usage = {names.get(name, name): value for name, value in counts.items() if value is not None}


def to_outcome(answer: DrawingAnswer, *, client: UpstreamClient) -> TaskSucceeded | TaskFailed:
    """The pictures; without any, the reason: the call was accepted, and what it cost is not known."""
    reasons = tuple(client.clean(reason) for reason in answer.reasons)
    if answer.outputs:
        return TaskSucceeded(tuple(answer.outputs), missing_reasons=reasons)
    if answer.is_blocked:
        return TaskFailed(
            ContentRefused(
                f"{client.service} has drawn it and keeps it back.", spent=Spent.MAYBE, hint="Change the prompt."
            )
        )
    said = client.quote("; ".join(answer.reasons))
    return TaskFailed(UpstreamFailed(f"{client.service} sent no picture. {said}", spent=Spent.MAYBE))


def format_reason(error: Any) -> str:
    """The message of an error, however it is wrapped."""
    match error:
        case str():
            return error
        case {"message": str(message)}:
            return message
        case {"code": code}:
            return str(code)
        case _:
            return "no reason given"


def _read_output(entry: Any) -> OutputImage | None:
    """A picture as base64, as a link, or as a bare string that is one of them."""
    match entry:
        case {"b64_json": str(text)} if text:
            return _decode(text)
        case {"url": str(text)} if text:
            return _read_text(text)
        case str() if entry:
            return _read_text(entry)
        case _:
            return None


def _is_garbled(entry: Any) -> bool:
    """Whether there is something in the place of a picture that is none."""
    match entry:
        case {"b64_json": value} | {"url": value} if value:
            return _read_output(entry) is None
        case _:
            return isinstance(entry, str) and _read_output(entry) is None


def _read_text(text: str) -> OutputImage | None:
    return OutputImage(url=text) if text.startswith(("http://", "https://")) else _decode(text)


def _decode(text: str) -> OutputImage | None:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return OutputImage(data=b64decode(encoded))
    except (binascii.Error, ValueError):
        return None
