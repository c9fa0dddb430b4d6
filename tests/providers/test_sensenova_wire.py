"""The SenseNova provider sends exactly what the golden pairs say and reads what they answer, byte by byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from scripted_sensenova import API_KEY, MIAOHUA_TOKEN, parts, provider_for
from wire_pairs import name_of, pairs

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.requests.chat import Chat, ChatWithImage

if TYPE_CHECKING:
    from scripted import HandClock, Script

    from atelier_mcp.server.providers.base import Done
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider

PAIRS = pairs("sensenova", binding="client")
REQUESTS: dict[str, type[Chat]] = {"chat": Chat, "chat_with_image": ChatWithImage}


def test_both_endpoints_have_pairs_for_client_and_emulator() -> None:
    for binding in ("client", "emulator"):
        assert {pair["id"] for pair in pairs("sensenova", binding=binding)} == {
            "chat_completions",
            "fusion_chat_with_image",
        }


@pytest.mark.parametrize("size_bytes", [1, 7, 1 << 20], ids=["byte by byte", "seven bytes at once", "at once"])
@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], size_bytes: int, script: Script, clock: HandClock
) -> None:
    """However the bytes arrive: a character, a line or an event may be torn."""
    script.on(pair["request"]["path"], step(pair["answer"], size_bytes))
    sensenova = provider_for(script, clock)
    parsed = await asked(sensenova, pair["asked"])
    await sensenova.close()
    sent = script.sent[-1]
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": sent.body} == pair["request"]
    assert sent.headers["authorization"] == API_KEY
    assert sent.headers["content-type"] == "application/json"
    assert sent.body.get("mh_key", MIAOHUA_TOKEN) == MIAOHUA_TOKEN
    text = parsed.pop("text", "")
    assert pair["parsed"].get("says", "") in text
    assert parsed == {name: value for name, value in pair["parsed"].items() if name != "says"}


def step(answer: dict[str, Any], size_bytes: int) -> Any:
    """The answer in parts of some bytes; of a known length where it lacks its last line's end."""
    body = answer["stream"] if "stream" in answer else json.dumps(answer["body"], ensure_ascii=False)
    data = body.encode()
    if "stream" in answer and '"stop"' not in body and "[DONE]" not in body and answer["status"] == 200:
        return httpx2.Response(200, content=data, headers=answer["headers"])
    torn = [data[place : place + size_bytes] for place in range(0, len(data), size_bytes)]
    return parts(*torn, status=answer["status"], kind=answer["headers"]["content-type"])


async def asked(sensenova: SensenovaProvider, asking: dict[str, Any]) -> dict[str, Any]:
    request = REQUESTS[asking["capability"]].model_validate(asking["fields"])
    try:
        return {"done": shown(await sensenova.submit(request, {}, lambda share, words: None))}
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}


def shown(done: Done) -> dict[str, Any]:
    outputs = [{"url": output.url, "seed": output.seed} for output in done.outputs]
    return {"outputs": outputs, "data": dict(done.data), **({} if done.cost is None else {"cost": done.cost})}
