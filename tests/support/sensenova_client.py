"""Talking to SenseNova's emulator, and reading its streams byte by byte."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_EMAIL, DEMO_PASSWORD

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness

CHAT_WITH_IMAGE_PATH = "/v1/fusion/chat-with-image"
COMPLETIONS_PATH = "/nlp/v1/chat/completions"
EVENT_PATTERN = re.compile(rb"data: (.*)\n\n")


def build_user_messages(*texts: str) -> list[dict[str, str]]:
    """A conversation in which only the user speaks."""
    return [{"role": "user", "content": text} for text in texts]


async def fetch_miaohua_token(emulator: EmulatorHarness) -> str:
    """What pictures are paid with, as the account logs in for it."""
    login = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    response = await emulator.client.post("/miaohua/api/v1b/get_token", json=login)
    document = response.json()
    return (document.get("info") or document)["token"]


async def post_to_sensenova(
    emulator: EmulatorHarness, path: str, body: Any, *, key: str | None = DEMO_API_KEY
) -> httpx2.Response:
    """The answer to a body, sent with the bare key."""
    headers = {} if key is None else {"Authorization": key}
    return await emulator.client.post(f"/sensenova{path}", json=body, headers=headers)


async def chat_with_image(emulator: EmulatorHarness, *texts: str, **more: Any) -> httpx2.Response:
    """The answer of the endpoint that draws."""
    return await post_to_sensenova(
        emulator,
        CHAT_WITH_IMAGE_PATH,
        {"messages": build_user_messages(*texts), "mh_key": await fetch_miaohua_token(emulator), **more},
    )


def parse_chunks(body: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream, which is nothing but events of one line each."""
    events = EVENT_PATTERN.findall(body)
    assert b"".join(b"data: " + event + b"\n\n" for event in events) == body
    return [json.loads(event) for event in events]


def join_deltas(body: bytes) -> str:
    """What the chunks of a stream say together."""
    return "".join(chunk["data"]["choices"][0]["delta"] for chunk in parse_chunks(body))


def read_content(response: httpx2.Response) -> str:
    """What a whole answer says."""
    assert response.status_code == 200, response.text
    return response.json()["data"]["choices"][0]["content"]
