"""The SenseNova provider sends exactly what the golden pairs say and reads what they answer, byte by byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.requests.chat import Chat, ChatWithImage
from atelier_mcp.server.testing import provider_calls
from tests.support.sensenova_script import API_KEY, MIAOHUA_TOKEN, build_chunked_step, create_provider
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

PAIRS = load_pairs("sensenova", side="client")
REQUESTS: dict[str, type[Chat]] = {"chat": Chat, "chat_with_image": ChatWithImage}


def test_both_endpoints_have_pairs_for_client_and_emulator() -> None:
    for binding in ("client", "emulator"):
        assert {pair["id"] for pair in load_pairs("sensenova", side=binding)} == {
            "chat_completions",
            "fusion_chat_with_image",
        }


@pytest.mark.parametrize("size_bytes", [1, 7, 1 << 20], ids=["byte by byte", "seven bytes at once", "at once"])
@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], size_bytes: int, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    """However the bytes arrive: a character, a line or an event may be torn."""
    script.set_steps(pair["request"]["path"], build_step(pair["answer"], size_bytes))
    sensenova = create_provider(script, clock)
    parsed = await submit(sensenova, pair["asked"])
    await sensenova.close()
    sent = script.requests[-1]
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": sent.body} == pair["request"]
    assert sent.headers["authorization"] == API_KEY
    assert sent.headers["content-type"] == "application/json"
    assert sent.body.get("mh_key", MIAOHUA_TOKEN) == MIAOHUA_TOKEN
    text = parsed.pop("text", "")
    assert pair["parsed"].get("says", "") in text
    assert parsed == {name: value for name, value in pair["parsed"].items() if name != "says"}


def build_step(answer: dict[str, Any], size_bytes: int) -> Any:
    """The answer in parts of some bytes; of a known length where it lacks its last line's end."""
    body = answer["stream"] if "stream" in answer else json.dumps(answer["body"], ensure_ascii=False)
    data = body.encode()
    if "stream" in answer and '"stop"' not in body and "[DONE]" not in body and answer["status"] == 200:
        return httpx2.Response(200, content=data, headers=answer["headers"])
    torn = [data[place : place + size_bytes] for place in range(0, len(data), size_bytes)]
    return build_chunked_step(*torn, status=answer["status"], media_type=answer["headers"]["content-type"])


async def submit(sensenova: SensenovaProvider, asking: dict[str, Any]) -> dict[str, Any]:
    request = REQUESTS[asking["capability"]].model_validate(asking["fields"])
    try:
        done = await provider_calls.submit(sensenova, request)
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}
    assert isinstance(done, TaskSucceeded)
    return {"done": format_done(done)}


def format_done(done: TaskSucceeded) -> dict[str, Any]:
    outputs = [{"url": output.url, "seed": output.seed} for output in done.outputs]
    return {
        "outputs": outputs,
        "data": dict(done.data),
        **({} if done.image_count is None else {"cost": done.image_count}),
    }
