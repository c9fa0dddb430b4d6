"""Requests as SenseNova's calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.chat import Chat, ChatWithImage

CHAT_PATH: Final = "/nlp/v1/chat/completions"
ALTERNATIVE_CHAT_PATH: Final = "/v1/nlp/chat/completions"
"""Older clients of the same host post there (contract: chat_completions.path_order)."""
FUSION_PATH: Final = "/v1/fusion/chat-with-image"
USER: Final = "atelier"
"""Who asks, in a word of our own: callers stay unnamed (contract: chat_completions.user_key)."""
DEFAULT_MODEL: Final = "Artist_V0.1.3"
DEFAULT_GUIDANCE: Final = 7
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
    return base if base.endswith(_ENDPOINT_SUFFIXES) else base + path


def build_chat_payload(request: Chat, *, base_url: str) -> SensenovaPayload:
    """A plain conversation; the user is named in both ways that are printed."""
    link, fallback_link = build_link(base_url, CHAT_PATH), build_link(base_url, ALTERNATIVE_CHAT_PATH)
    return SensenovaPayload(
        link, {**_build_conversation(request), "user": USER}, fallback_link if fallback_link != link else None
    )


def build_fusion_payload(request: ChatWithImage, *, base_url: str, miaohua_token: str) -> SensenovaPayload:
    """A conversation that may draw; what an intact table requires is always sent (contract: required_column).

    No control is ever chosen, for its picture cannot be passed (contract: controlnet_without_image).
    """
    body = {
        **_build_conversation(request),
        "output_img": request.draw,
        "mh_key": miaohua_token,
        "mh_model_name": request.model or DEFAULT_MODEL,
        "mh_output_size": f"{request.width}x{request.height}",
        "mh_scale": request.guidance or DEFAULT_GUIDANCE,
        "mh_ddim_steps": request.steps,
        "mh_select_seed": request.seed,
        "mh_add_prompt": request.enhance_prompt or None,
    }
    return SensenovaPayload(build_link(base_url, FUSION_PATH), _drop_none(body))


def _build_conversation(request: Chat) -> dict[str, Any]:
    return _drop_none(
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


def _clamp_above_zero(value: float | None) -> float | None:
    return None if value is None else max(value, MIN_SAMPLING_VALUE)


def _drop_none(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}
