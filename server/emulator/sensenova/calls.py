"""What a handler of SenseNova gets, and how it answers: whole, or as a stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.responses import StreamingResponse

from atelier_mcp.server.emulator.sensenova.responses import (
    DONE_EVENT,
    ChatCompletion,
    build_json_response,
    build_response_body,
    encode_stream,
)
from atelier_mcp.server.emulator.sensenova.switches import SensenovaSwitches

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState


@dataclass(frozen=True, slots=True)
class SensenovaCall:
    """An authenticated call."""

    emulator: EmulatorState
    account: Account
    request: Request
    body: Mapping[str, Any]


NEWER_PATH: Final = "/v1/llm/chat-completions"
"""What the newer path ends with, also behind a gateway (chat_completions.path_order)."""

Handler: TypeAlias = "Callable[[SensenovaCall], Awaitable[Response]]"
CallRow: TypeAlias = tuple[str, str, Handler]
"""Method, path and handler of one call; ``app`` makes routes of them."""


def build_response(
    call: SensenovaCall, completion: ChatCompletion, *, stream: bool, sends_done_event: bool, closes_connection: bool
) -> Response:
    """The answer as it was asked for; a stream takes as long as the emulator's tasks do."""
    answer_id = f"{call.emulator.rng.getrandbits(60):015x}"
    if not stream:
        text_keys = call.emulator.settings.get_switches(SensenovaSwitches).text_keys
        names_speaker = call.request.url.path.endswith(NEWER_PATH)
        body = build_response_body(answer_id, completion, text_keys=text_keys, names_speaker=names_speaker)
        return build_json_response(body, headers={})
    # The whole answer takes as long as a task would.
    pause_s = call.emulator.settings.task_seconds / (len(completion.chunks) + 1)
    # Starlette would name a character set, which the service does not.
    headers = {"Content-Type": "text/event-stream", **({"Connection": "close"} if closes_connection else {})}
    return StreamingResponse(
        _stream_chunks(answer_id, completion, pause_s, DONE_EVENT if sends_done_event else b""), headers=headers
    )


async def _stream_chunks(
    answer_id: str, completion: ChatCompletion, pause_s: float, end: bytes
) -> AsyncGenerator[bytes]:
    for chunk in encode_stream(answer_id, completion):
        if pause_s:
            await asyncio.sleep(pause_s)
        yield chunk
    if end:
        yield end
