"""SenseNova's two conversations: plain completions, and one that draws when it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from atelier_mcp.server.emulator.sensenova import completions, fusion
from atelier_mcp.server.emulator.sensenova.answers import error_body
from atelier_mcp.server.emulator.sensenova.calls import METHODS, endpoint, unknown_path

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.world import World

__all__ = ["error_body", "routes"]

# The documented path first, then those that public programs use (chat_completions.path_order, fusion.path_order).
COMPLETIONS: Final = ("/nlp/v1/chat/completions", "/v1/nlp/chat/completions", "/v1/llm/chat-completions")
FUSION: Final = ("/v1/fusion/chat-with-image", "/fusion/v1/chat-with-image")


def routes(world: World) -> list[BaseRoute]:
    """Both endpoints under all their paths; any other path is HTTP 404."""
    handlers = [*((path, completions.answer) for path in COMPLETIONS), *((path, fusion.answer) for path in FUSION)]
    return [
        *(Route(path, endpoint(world, handler), methods=["POST"]) for path, handler in handlers),
        Route("/{path:path}", endpoint(world, unknown_path), methods=list(METHODS)),
    ]
