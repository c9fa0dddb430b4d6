"""A conversation as both of SenseNova's calls take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.chat import Chat

USER: Final = "atelier"
"""Who asks, in a word of our own: callers stay unnamed (contract: chat_completions.user_key)."""
MIN_SAMPLING_VALUE: Final = 0.01
"""Temperature and top_p of 0 are invalid (contract: chat_completions.range_edges)."""
_ENDPOINT_SUFFIXES: Final = ("/completions", "/chat-completions", "/chat-with-image")


@dataclass(frozen=True, slots=True)
class SensenovaPayload:
    """One submit: where to, where to else when nothing is there, and with what."""

    link: str
    body: dict[str, Any]
    fallback_link: str | None = None


def build_link(base_url: str, path: str) -> str:
    """The path at a base address; an address that already names an endpoint is taken as it stands."""
    base = base_url.rstrip("/")
    # Proxies and older set-ups give the endpoint itself as the address.
    return base if base.endswith(_ENDPOINT_SUFFIXES) else base + path


def build_conversation(request: Chat) -> dict[str, Any]:
    """The messages, and how words are chosen; always streamed."""
    return drop_none(
        {
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
            "temperature": _clamp_above_zero(request.temperature),
            "top_p": _clamp_above_zero(request.top_p),
            "max_new_tokens": request.max_tokens,
            "repetition_penalty": request.repetition_penalty,
            "stream": True,
            "user_id": USER,
        }
    )


def drop_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """What was left open is left out."""
    return {name: value for name, value in body.items() if value is not None}


def _clamp_above_zero(value: float | None) -> float | None:
    return None if value is None else max(value, MIN_SAMPLING_VALUE)
