"""Requests as SenseNova's calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.chat import Chat, ChatWithImage

CHAT_PATH: Final = "/nlp/v1/chat/completions"
SWAPPED_CHAT_PATH: Final = "/v1/nlp/chat/completions"
"""Older clients of the same host post there (contract: chat_completions.path_order)."""
FUSION_PATH: Final = "/v1/fusion/chat-with-image"
USER: Final = "atelier"
"""Who asks, in a word of our own: callers stay unnamed (contract: chat_completions.user_key)."""
USUAL_MODEL: Final = "Artist_V0.1.3"
USUAL_GUIDANCE: Final = 7
LEAST_SHARE: Final = 0.01
"""Temperature and top_p of 0 are invalid (contract: chat_completions.range_edges)."""
_ENDINGS: Final = ("/completions", "/chat-completions", "/chat-with-image")


@dataclass(frozen=True, slots=True)
class Order:
    """One submit: where to, where to else when nothing is there, and with what."""

    link: str
    body: dict[str, Any]
    other_link: str | None = None


def address(base_url: str, path: str) -> str:
    """The path at a base address; an address that already names an endpoint is taken as it stands."""
    base = base_url.rstrip("/")
    return base if base.endswith(_ENDINGS) else base + path


def chat_order(request: Chat, *, base_url: str) -> Order:
    """A plain conversation; the user is named in both ways that are printed."""
    link, other = address(base_url, CHAT_PATH), address(base_url, SWAPPED_CHAT_PATH)
    return Order(link, {**_conversation(request), "user": USER}, other if other != link else None)


def fusion_order(request: ChatWithImage, *, base_url: str, miaohua_token: str) -> Order:
    """A conversation that may draw; what an intact table requires is always sent (contract: required_column).

    No control is ever chosen, for its picture cannot be passed (contract: controlnet_without_image).
    """
    body = {
        **_conversation(request),
        "output_img": request.draw,
        "mh_key": miaohua_token,
        "mh_model_name": request.model or USUAL_MODEL,
        "mh_output_size": f"{request.width}x{request.height}",
        "mh_scale": request.guidance or USUAL_GUIDANCE,
        "mh_ddim_steps": request.steps,
        "mh_select_seed": request.seed,
        "mh_add_prompt": request.enhance_prompt or None,
    }
    return Order(address(base_url, FUSION_PATH), _given(body))


def _conversation(request: Chat) -> dict[str, Any]:
    return _given(
        {
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
            "temperature": _above_zero(request.temperature),
            "top_p": _above_zero(request.top_p),
            "max_new_tokens": request.max_tokens,
            "repetition_penalty": request.repetition_penalty,
            "stream": True,
            "user_id": USER,
        }
    )


def _above_zero(value: float | None) -> float | None:
    return None if value is None else max(value, LEAST_SHARE)


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
