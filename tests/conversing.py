"""Talking to SenseNova's emulator, and reading its streams byte by byte."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_EMAIL, DEMO_PASSWORD

if TYPE_CHECKING:
    import httpx2
    from emulated import Site

FUSION = "/v1/fusion/chat-with-image"
COMPLETIONS = "/nlp/v1/chat/completions"
EVENT = re.compile(rb"data: (.*)\n\n")


def user(*said: str) -> list[dict[str, str]]:
    """A conversation in which only the user speaks."""
    return [{"role": "user", "content": words} for words in said]


async def miaohua_token(site: Site) -> str:
    """What pictures are paid with, as the account logs in for it."""
    login = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    answer = await site.client.post("/miaohua/api/v1b/get_token", json=login)
    document = answer.json()
    return (document.get("info") or document)["token"]


async def talk(site: Site, path: str, body: Any, *, key: str | None = DEMO_API_KEY) -> httpx2.Response:
    """The answer to a body, sent with the bare key."""
    headers = {} if key is None else {"Authorization": key}
    return await site.client.post(f"/sensenova{path}", json=body, headers=headers)


async def fused(site: Site, *said: str, **more: Any) -> httpx2.Response:
    """The answer of the endpoint that draws."""
    return await talk(site, FUSION, {"messages": user(*said), "mh_key": await miaohua_token(site), **more})


def chunks(body: bytes) -> list[dict[str, Any]]:
    """The chunks of a stream, which is nothing but events of one line each."""
    events = EVENT.findall(body)
    assert b"".join(b"data: " + event + b"\n\n" for event in events) == body
    return [json.loads(event) for event in events]


def deltas(body: bytes) -> str:
    """What the chunks of a stream say together."""
    return "".join(chunk["data"]["choices"][0]["delta"] for chunk in chunks(body))


def content(answer: httpx2.Response) -> str:
    """What a whole answer says."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["choices"][0]["content"]
