"""An OpenAI-compatible endpoint against a script."""

from __future__ import annotations

import json
from base64 import b64encode
from email import message_from_bytes
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from PIL import Image

from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.openai_images.provider import OpenaiProvider
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    import httpx2

    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

API_KEY = "OPENAI-hidden-everywhere"


def encode_black_image() -> str:
    """A PNG as base64."""
    out = BytesIO()
    Image.new("L", (1024, 1024)).save(out, "PNG")
    return b64encode(out.getvalue()).decode()


IMAGE = encode_black_image()
"""A black picture of 1024x1024, as base64."""
HEADER = ImageHeader("PNG", "image/png", 1024, 1024, 1000)


def create_provider(script: UpstreamScript, clock: AutoAdvanceClock, **settings: Any) -> OpenaiProvider:
    """An endpoint whose service is the script."""
    given: dict[str, Any] = {"name": "openai_images", "api_key": API_KEY, **settings}
    return OpenaiProvider(clock=clock, transport=script.transport, **given)


def build_openai_error(status: int, code: str, message: str = "no", **details: Any) -> httpx2.Response:
    """A refusal as the API words it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code, **details}
    return build_response({"error": error}, status)


def build_event_stream(*events: dict[str, Any]) -> bytes:
    """The body of a stream with these events."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def read_form(sent: SentRequest) -> tuple[dict[str, str], list[str]]:
    """The texts of a form by name, and the names of its files in order."""
    message = message_from_bytes(f"Content-Type: {sent.headers['content-type']}\r\n\r\n".encode() + sent.content)
    fields: dict[str, str] = {}
    files: list[str] = []
    for part in cast("list[Any]", message.get_payload()):
        name = part.get_param("name", header="content-disposition")
        if part.get_filename():
            files.append(name)
        else:
            fields[name] = part.get_payload(decode=True).decode()
    return fields, files
