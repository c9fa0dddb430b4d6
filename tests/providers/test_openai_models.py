"""OpenAI-compatible servers: which models they list, which is drawn with, and what ``doctor`` hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from tests.support.openai_script import build_openai_error, create_provider
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from tests.support.clock import AutoAdvanceClock

KITE = GenerateImage.model_validate({"prompt": "a kite", "model": "gpt-image-2"})


async def test_models_that_draw_are_listed_in_whichever_shape_a_server_lists_them(clock: AutoAdvanceClock) -> None:
    entries = [{"id": "gpt-image-2"}, {"id": "gpt-image-1.5", "shutdown_date": "2026-12-01"}, {"id": "words-5"}]
    for document in ({"object": "list", "data": entries}, entries, {"models": entries}):
        script = UpstreamScript()
        script.set_steps("/v1/models", build_response(document))
        provider = create_provider(script, clock)
        page = await provider.list_models("checkpoint", base=None, offset=0, limit=10)
        assert [model.id for model in page.models] == ["gpt-image-1.5", "gpt-image-2"]
        assert page.models[0].description == "ends 2026-12-01"


async def test_without_a_model_the_first_that_a_server_lists_is_drawn_with(clock: AutoAdvanceClock) -> None:
    script = UpstreamScript()
    script.set_steps("/v1/models", build_response({"data": [{"id": "loaded"}]}))
    provider = create_provider(script, clock, base_url="http://localhost:8000/v1")
    made = await provider_calls.plan(provider, GenerateImage.model_validate({"prompt": "a kite"}))
    assert isinstance(made.request, GenerateImage)
    assert made.request.model == "loaded"


async def test_a_model_that_is_not_listed_is_tried_after_those_who_list_it(clock: AutoAdvanceClock) -> None:
    script = UpstreamScript()
    script.set_steps("/v1/models", build_response({"data": []}))
    script.set_steps("/v1/models/artist_v1", build_openai_error(404, "model_not_found"))
    script.set_steps("/v1/models/preview", build_response({"id": "preview"}))
    provider = create_provider(script, clock)
    for model, is_unchecked in (("artist_v1", True), ("preview", False)):
        made = await provider_calls.plan(provider, KITE.model_copy(update={"model": model}))
        assert made.has_unchecked_ids is is_unchecked
    assert not (await provider_calls.plan(provider, KITE)).has_unchecked_ids


def test_the_account_is_told_by_address_and_key(clock: AutoAdvanceClock) -> None:
    accounts = {
        create_provider(UpstreamScript(), clock, base_url=address).account
        for address in ("http://localhost:8080/v1", "http://localhost:8000/v1")
    }
    assert len(accounts) == 2


async def test_it_reports_which_server_it_is_and_whether_its_model_is_there(clock: AutoAdvanceClock) -> None:
    script = UpstreamScript()
    script.set_steps("/v1/models", build_response({"data": [{"id": "flux-1"}]}))
    script.set_steps("/v1/models/flux-2", build_response("", 404))
    reports = [
        (await create_provider(script, clock, base_url="http://localhost:8080/v1", model=model).report()).words
        for model in ("flux-1", "flux-2", "")
    ]
    assert reports[0] == (
        "LocalAI, free, 1 model to draw with (flux-1); draws with flux-1: from up to 16 pictures, with a mask, "
        "in whole answers; tells no version"
    )
    assert "draws with flux-2, which it does not list" in reports[1]
    assert "OPENAI_IMAGE_MODEL is not set: draws with flux-1" in reports[2]


@pytest.mark.parametrize(
    ("base_url", "model", "words"),
    [
        ("https://api.openai.com/v1", "gpt-image-2.6-flare", "quality low to max, transparent, streamed, prices of"),
        ("https://api.openai.com/v1", "gpt-image-1.5", "ends 2026-12-01, no price known"),
        ("https://token.sensenova.cn/v1", "", "draws with sensenova-u1.5-lite"),
        ("https://open.bigmodel.cn/api/paas/v4", "cogview-4", "from words alone"),
        ("https://api.x.ai/v1", "grok-imagine", "from up to 3 pictures, with no mask"),
        ("https://relay.example/v1", "gpt-image-2", "a server that its address does not tell (OPENAI_SERVER)"),
    ],
)
async def test_it_reports_what_the_model_can_do_at_this_server(
    clock: AutoAdvanceClock, base_url: str, model: str, words: str
) -> None:
    """The service itself tells names alone."""
    script = UpstreamScript()
    path = urlsplit(base_url).path
    script.set_steps(f"{path}/models", build_response({"data": [{"id": model or "sensenova-u1.5-lite"}]}))
    assert words in (await create_provider(script, clock, base_url=base_url, model=model).report()).words


async def test_a_server_without_models_reports_what_to_set(clock: AutoAdvanceClock) -> None:
    script = UpstreamScript()
    script.set_steps("/v1/models", build_response({"data": []}))
    provider = create_provider(script, clock, base_url="http://localhost:8080/v1", model="")
    assert (await provider.report()).words == "LocalAI, free, 0 models to draw with, OPENAI_IMAGE_MODEL is not set"
