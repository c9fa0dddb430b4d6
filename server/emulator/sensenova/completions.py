"""Plain conversations (contract: chat_completions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.sensenova.answers import spoken
from atelier_mcp.server.emulator.sensenova.calls import reply
from atelier_mcp.server.emulator.sensenova.parameters import read_conversation
from atelier_mcp.server.emulator.sensenova.standin import cut, prompt_tokens, words_for

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.sensenova.calls import Call


async def answer(call: Call) -> Response:
    """The stand-in's words, whole or as a stream that ends with its mark."""
    conversation = read_conversation(call.body)
    words = cut(words_for(conversation.turns, draws=False), conversation.max_new_tokens)
    said = spoken(words, prompt_tokens=prompt_tokens(conversation.turns))
    return reply(call, said, stream=conversation.stream, ends_with_mark=True, closes=False)
