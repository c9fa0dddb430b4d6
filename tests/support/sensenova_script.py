"""A SenseNova provider against a script: streams as bytes, and streams that break."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2

from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider
from atelier_mcp.server.requests.chat import Chat, ChatWithImage
from atelier_mcp.server.testing import provider_calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

API_KEY = "KEY-hidden-everywhere"
MIAOHUA_TOKEN = "MH-TOKEN"
CHAT_WITH_IMAGE_PATH = "/v1/fusion/chat-with-image"
COMPLETIONS_PATH = "/nlp/v1/chat/completions"
EVENT_STREAM_HEADERS = {"content-type": "text/event-stream"}
STOP_CHUNK = ("", "stop")
LINK = "https://oss.example.com/picture.png?Signature=secret"
TALK = Chat.model_validate({"messages": [{"role": "user", "content": "a very private question"}]})
DRAW = ChatWithImage.model_validate({"messages": [{"role": "user", "content": "draw a boat"}]})
UNSURE = DRAW.model_copy(update={"draw": False})


class ScriptedTokenSource:
    """Gives out Miaohua tokens: the first until it is refused, then the next."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens or (MIAOHUA_TOKEN,))

    async def __call__(self, *, rejected_token: str = "") -> str:
        if rejected_token == self.tokens[0] and len(self.tokens) > 1:
            self.tokens.pop(0)
        return self.tokens[0]


def create_provider(script: UpstreamScript, clock: AutoAdvanceClock, **more: Any) -> SensenovaProvider:
    """The provider, which pays for pictures with ``MIAOHUA_TOKEN`` unless told otherwise."""
    arguments: dict[str, Any] = {
        "api_key": API_KEY,
        "fusion_url": "https://fusion.example",
        "chat_url": "https://chat.example",
        "miaohua_token": ScriptedTokenSource(),
        "clock": clock,
        "transport": script.transport,
        **more,
    }
    return SensenovaProvider(**arguments)


def build_chunk(delta: str, finish_reason: str = "", *, has_image: bool = False) -> bytes:
    """One event of a stream."""
    data = {
        "id": "53c96a73178f000",
        "choices": [{"finish_reason": finish_reason, "delta": delta}],
        "usage": {"completion_tokens": 0, "total_tokens": 0, "picture": has_image},
        "status": 0,
    }
    return f"data: {json.dumps({'code': 0, 'msg': 'OK', 'data': data}, ensure_ascii=False)}\n\n".encode()


def build_stream_body(*texts: str, has_image: bool = False) -> bytes:
    """A whole stream that says these words."""
    return b"".join(build_chunk(text, has_image=has_image) for text in texts) + build_chunk(
        *STOP_CHUNK, has_image=has_image
    )


def build_stream_response(body: bytes) -> httpx2.Response:
    """A stream whose length is known, so that its end can be told."""
    return httpx2.Response(200, content=body, headers=EVENT_STREAM_HEADERS)


class BrokenStream(httpx2.AsyncByteStream):
    """A body in parts, after which the connection breaks, or just closes."""

    def __init__(self, parts: Iterable[bytes], end: Exception | None) -> None:
        self._parts, self._end = tuple(parts), end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        if self._end is not None:
            raise self._end


def build_chunked_step(
    *chunks: bytes, end: Exception | None = None, status: int = 200, media_type: str = "text/event-stream"
) -> Any:
    """A step of a script: a body without a stated length, in these parts, that ends so."""

    def respond(_: SentRequest) -> httpx2.Response:
        return httpx2.Response(status, stream=BrokenStream(chunks, end), headers={"content-type": media_type})

    return respond


async def submit(provider: SensenovaProvider, request: Request = TALK) -> TaskSucceeded:
    """What a question that is answered comes to."""
    done = await provider_calls.submit(provider, request)
    assert isinstance(done, TaskSucceeded)
    return done
