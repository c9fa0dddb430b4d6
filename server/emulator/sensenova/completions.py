"""Plain conversations (contract: chat_completions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.sensenova.calls import build_response
from atelier_mcp.server.emulator.sensenova.parameters import read_conversation
from atelier_mcp.server.emulator.sensenova.responder import compose_reply, count_prompt_tokens, truncate
from atelier_mcp.server.emulator.sensenova.responses import build_completion

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.sensenova.calls import CallRow, SensenovaCall

# The documented path first, then those that public programs use (chat_completions.path_order).
PATHS: Final = ("/nlp/v1/chat/completions", "/v1/nlp/chat/completions", "/v1/llm/chat-completions")


def build_rows() -> list[CallRow]:
    """The call at all its paths."""
    return [("POST", path, create_completion) for path in PATHS]


async def create_completion(call: SensenovaCall) -> Response:
    """The stand-in's words, whole or as a stream that ends with its mark."""
    conversation = read_conversation(call.body)
    text = truncate(compose_reply(conversation.messages, can_draw=False), conversation.max_new_tokens)
    completion = build_completion(text, prompt_tokens=count_prompt_tokens(conversation.messages))
    return build_response(call, completion, stream=conversation.stream, sends_done_event=True, closes_connection=False)
