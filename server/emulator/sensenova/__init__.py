"""SenseNova's two conversations: plain completions, and one that draws when it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from atelier_mcp.server.emulator.sensenova import completions, fusion
from atelier_mcp.server.emulator.sensenova.calls import METHODS, build_endpoint, refuse_unknown_path
from atelier_mcp.server.emulator.sensenova.responses import build_error_body

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.state import EmulatorState

__all__ = ["build_error_body", "build_routes"]

# The documented path first, then those that public programs use (chat_completions.path_order, fusion.path_order).
COMPLETIONS: Final = ("/nlp/v1/chat/completions", "/v1/nlp/chat/completions", "/v1/llm/chat-completions")
FUSION: Final = ("/v1/fusion/chat-with-image", "/fusion/v1/chat-with-image")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """Both endpoints under all their paths; any other path is HTTP 404."""
    handlers = [
        *((path, completions.create_completion) for path in COMPLETIONS),
        *((path, fusion.create_image_completion) for path in FUSION),
    ]
    return [
        *(Route(path, build_endpoint(emulator, handler), methods=["POST"]) for path, handler in handlers),
        Route("/{path:path}", build_endpoint(emulator, refuse_unknown_path), methods=list(METHODS)),
    ]
