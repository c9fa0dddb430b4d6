"""SenseNova's answers byte by byte: whole ones, streams, and refusals in band (contract: conventions)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from atelier_mcp.server.emulator.sensenova.switches import SensenovaTextKeys

INTENT_MARK: Final = "This is a drawing request*&^**#"
DONE_EVENT: Final = b"data: [DONE]\n\n"

_CJK: Final = "㐀-鿿豈-﫿"
# The last alternative keeps white space at the end: joined, the tokens must be the text again.
_TOKEN: Final = re.compile(rf"\s*(?:[{_CJK}]|[^\W{_CJK}]+|[^\w\s]|_)|\s+\Z")


@dataclass(frozen=True, slots=True)
class ChatCompletion:
    """What is answered. ``has_image`` is None where the endpoint draws nothing and counts no pictures."""

    text: str
    chunks: tuple[str, ...]
    prompt_tokens: int
    has_image: bool | None = None
    is_refusal: bool = False
    """A refusal that looks like success."""
    status: int = 0
    """How it failed that looks like success (chat_completions.data_status)."""
    remarks: tuple[str, ...] = ()
    """What the engine left out of its picture (contract: fusion_chat_with_image.remarks)."""

    @property
    def extra_data(self) -> dict[str, Any]:
        """What a whole answer, or the last event of a stream, has beside the contract's fields."""
        return {"remarks": list(self.remarks)} if self.remarks else {}

    @property
    def completion_tokens(self) -> int:
        """The tokens of the words, and one for their end."""
        return len(split_tokens(self.text)) + 1

    def build_usage(self, *, counted: bool, prompt: bool) -> dict[str, Any]:
        """The counts; all 0 until they are ``counted``, with those of the ``prompt`` only in a whole answer."""
        total = self.prompt_tokens + self.completion_tokens
        usage: dict[str, Any] = {"prompt_tokens": self.prompt_tokens} if prompt else {}
        usage["completion_tokens"] = self.completion_tokens if counted else 0
        usage["total_tokens"] = total if counted else 0
        return usage if self.has_image is None else {**usage, "picture": self.has_image}


def build_completion(text: str, *, prompt_tokens: int, has_image: bool | None = None) -> ChatCompletion:
    """Words that come token by token."""
    return ChatCompletion(text, tuple(split_tokens(text)), prompt_tokens, has_image)


def build_single_chunk_completion(
    text: str, *, prompt_tokens: int, has_image: bool, is_refusal: bool = False
) -> ChatCompletion:
    """Words that come in one chunk: a link, the mark of an intent, a refusal (picture_in_stream, intent_marker)."""
    return ChatCompletion(text, (text,), prompt_tokens, has_image, is_refusal)


def build_failed_completion(status: int, *, prompt_tokens: int) -> ChatCompletion:
    """No words, and in ``data.status`` the reason why."""
    return ChatCompletion("", (), prompt_tokens, status=status)


def split_tokens(text: str) -> list[str]:
    """The text cut into words, ideographs and marks, each with the space before it; joined they are the text."""
    return _TOKEN.findall(text)


def build_response_body(
    answer_id: str, completion: ChatCompletion, *, text_keys: SensenovaTextKeys = "both", names_speaker: bool = False
) -> dict[str, Any]:
    """A synchronous answer: 200 and ok for success, 0 and OK, with its keys in the printed order, for a refusal.

    ``names_speaker`` for the newer path, whose choices also have an index and a role.
    """
    choice = _build_choice(completion.text, text_keys=text_keys, names_speaker=names_speaker)
    # The same order as in the printed samples (fusion_chat_with_image.in_band_refusals).
    if completion.is_refusal:
        return {
            "code": 0,
            "data": {
                "choices": [choice],
                "id": answer_id,
                "status": 0,
                "usage": dict(sorted(completion.build_usage(counted=True, prompt=False).items())),
            },
            "msg": "OK",
        }
    data = {
        "id": answer_id,
        "choices": [choice],
        "usage": completion.build_usage(counted=True, prompt=True),
        "status": completion.status,
        **completion.extra_data,
    }
    return {"code": 200, "msg": "ok", "data": data}


def _build_choice(text: str, *, text_keys: SensenovaTextKeys, names_speaker: bool) -> dict[str, Any]:
    speaker = {"index": 0, "role": "assistant"} if names_speaker else {}
    names = ("content", "message") if text_keys == "both" else (text_keys,)
    return {**speaker, **dict.fromkeys(names, text), "finish_reason": "stop"}


def encode_stream(answer_id: str, completion: ChatCompletion) -> Iterator[bytes]:
    """The events of a stream: one for each piece, and the last one with the counts."""
    # 0 and OK in streams, 200 and ok in whole answers (fusion_chat_with_image.success_code).
    for chunk in completion.chunks:
        yield _encode_event(answer_id, "", chunk, completion.build_usage(counted=False, prompt=False))
    # Counts are 0 up to here (fusion_chat_with_image.usage_sum).
    usage = completion.build_usage(counted=True, prompt=False)
    yield _encode_event(answer_id, "stop", "", usage, status=completion.status, **completion.extra_data)


def _encode_event(
    answer_id: str, finish_reason: str, delta: str, usage: dict[str, Any], *, status: int = 0, **extra: Any
) -> bytes:
    data = {
        "id": answer_id,
        "choices": [{"finish_reason": finish_reason, "delta": delta}],
        "usage": usage,
        "status": status,
        **extra,
    }
    return f"data: {json.dumps({'code': 0, 'msg': 'OK', 'data': data}, ensure_ascii=False)}\n\n".encode()


def build_json_response(document: dict[str, Any], *, status: int = 200, headers: Mapping[str, str]) -> Response:
    """A document as the service writes it: ideographs as they are, not escaped."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status_code=status, media_type="application/json", headers=dict(headers))
