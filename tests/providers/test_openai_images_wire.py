"""The OpenAI provider sends exactly what the golden pairs say and reads what they answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded
from atelier_mcp.server.providers.openai_images.advanced import OpenaiOptions
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import InpaintImage
from atelier_mcp.server.testing import provider_calls
from tests.support.openai_script import API_KEY, HEADER, IMAGE, create_provider, read_form
from tests.support.upstream_script import build_response
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from atelier_mcp.server.providers.openai_images.provider import OpenaiProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

PAIRS = load_pairs("openai_images", side="client")
REQUESTS: dict[str, type[Request]] = {"generate_image": GenerateImage, "inpaint_image": InpaintImage}


def test_every_call_that_is_made_has_a_pair_for_client_and_emulator() -> None:
    for binding in ("client", "emulator"):
        assert {pair["id"] for pair in load_pairs("openai_images", side=binding)} == {
            "images.generations",
            "images.edits",
            "images.edits_json",
            "models.list",
        }


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    golden = pair["answer"]
    body = golden["stream"] if "stream" in golden else json.dumps(golden["body"])
    answer = httpx2.Response(golden["status"], content=body.encode(), headers=golden["headers"])
    script.set_steps("/v1/models", build_response({"data": []}))
    script.set_steps("/v1/models/gpt-image-9", build_response("", 404))
    script.set_steps(pair["request"]["path"], answer)
    provider = create_provider(script, clock, server=pair["asked"].get("server", "openai"))
    parsed = await ask(provider, pair["asked"])
    await provider.close()
    assert describe_sent(script.requests[-1]) == pair["request"]
    assert script.requests[-1].headers["authorization"] == f"Bearer {API_KEY}"
    text = parsed.pop("text", "")
    assert pair["parsed"].get("says", "") in text
    assert parsed == {name: value for name, value in pair["parsed"].items() if name != "says"}


def describe_sent(sent: SentRequest) -> dict[str, Any]:
    """A request as the pairs write it down."""
    common = {"method": sent.method, "path": sent.path, "query": sent.query}
    if sent.method == "GET":
        return common
    if sent.body is not None:
        return common | {"body": json.loads(json.dumps(sent.body).replace(IMAGE, "PICTURE"))}
    fields, files = read_form(sent)
    return common | {"form": fields, "files": files}


async def ask(provider: OpenaiProvider, asked: dict[str, Any]) -> dict[str, Any]:
    """What the provider makes of it."""
    if asked["do"] == "list":
        page = await provider.list_models("checkpoint", base=None, offset=0, limit=10)
        return {"models": [model.id for model in page.models]}
    fields = dict(asked["fields"])
    if "advanced" in fields:
        fields["advanced"] = OpenaiOptions.model_validate(fields["advanced"])
    request = REQUESTS[asked["capability"]].model_validate(fields)
    images = dict.fromkeys(asked.get("pictures", ()), IMAGE)
    try:
        outcome = await provider_calls.submit(provider, await plan(provider, request, images), images)
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}
    if isinstance(outcome, TaskFailed):
        return {"failed": type(outcome.reason).__name__, "text": str(outcome.reason)}
    assert isinstance(outcome, TaskSucceeded)
    return {"pictures": len(outcome.outputs), "data": dict(outcome.data)}


async def plan(provider: OpenaiProvider, request: Request, images: dict[str, str]) -> Request:
    planned = await provider_calls.plan(provider, request, dict.fromkeys(images, HEADER))
    return planned.sent_request or planned.request
