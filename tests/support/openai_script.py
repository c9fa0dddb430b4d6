"""An OpenAI-compatible endpoint against a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.openai_images.provider import OpenaiProvider
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    import httpx2

    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

API_KEY = "OPENAI-hidden-everywhere"


def create_provider(script: UpstreamScript, clock: AutoAdvanceClock, **settings: Any) -> OpenaiProvider:
    """An endpoint whose service is the script."""
    return OpenaiProvider(name="openai_images", api_key=API_KEY, clock=clock, transport=script.transport, **settings)


def build_openai_error(status: int, code: str, message: str = "no", **details: Any) -> httpx2.Response:
    """A refusal as the API words it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code, **details}
    return build_response({"error": error}, status)


def build_event_stream(*events: dict[str, Any]) -> bytes:
    """The body of a stream with these events."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
