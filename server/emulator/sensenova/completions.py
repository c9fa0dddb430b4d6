"""Plain conversations (contract: chat_completions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.sensenova.calls import build_response
from atelier_mcp.server.emulator.sensenova.errors import (
    CONTENT_STATUS,
    INTERNAL_STATUS,
    TIMEOUT_REASON,
    TIMEOUT_STATUS,
    is_sensitive,
)
from atelier_mcp.server.emulator.sensenova.parameters import read_conversation
from atelier_mcp.server.emulator.sensenova.responder import compose_reply, count_prompt_tokens, truncate
from atelier_mcp.server.emulator.sensenova.responses import build_completion, build_failed_completion

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.sensenova.calls import CallRow, SensenovaCall
    from atelier_mcp.server.emulator.sensenova.parameters import Conversation

# The documented path first, then those that public programs use (chat_completions.path_order).
PATHS: Final = (
    "/nlp/v1/chat/completions",
    "/v1/nlp/chat/completions",
    "/test/v1/nlp/chat/completions",
    "/v1/nlp/extra/completions",
    "/v1/llm/chat-completions",
    "/sense-chat/v1/llm/chat-completions",
)


def build_rows() -> list[CallRow]:
    """The call at all its paths."""
    return [("POST", path, create_completion) for path in PATHS]


async def create_completion(call: SensenovaCall) -> Response:
    """The stand-in's words, whole or as a stream that ends with its mark."""
    conversation = read_conversation(call.body)
    prompt_tokens = count_prompt_tokens(conversation.messages)
    # Code 200 all the same: only ``data.status`` tells (contract: chat_completions.data_status).
    if status := _find_failure(call, conversation):
        completion = build_failed_completion(status, prompt_tokens=prompt_tokens)
    else:
        text = truncate(compose_reply(conversation.messages, can_draw=False), conversation.max_new_tokens)
        completion = build_completion(text, prompt_tokens=prompt_tokens)
    return build_response(call, completion, stream=conversation.stream, sends_done_event=True, closes_connection=False)


def _find_failure(call: SensenovaCall, conversation: Conversation) -> int:
    """The ``data.status`` of an answer that fails, on order or for what was said; 0 for one that does not."""
    verdict = get_verdict(call.request)
    if verdict is not None and verdict.failed:
        return TIMEOUT_STATUS if verdict.failed == TIMEOUT_REASON else INTERNAL_STATUS
    if verdict is not None or is_sensitive(conversation.messages[-1].content):
        return CONTENT_STATUS
    return 0
