"""What every provider promises, whatever its service does."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

import atelier_mcp.server.providers
from atelier_mcp.server.errors import (
    AccountRefused,
    AuthenticationFailed,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
from atelier_mcp.server.providers.openai_images.provider import OpenaiProvider
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from atelier_mcp.testing import PollContract, ScriptedService, SubmitContract
from tests.support.miaohua_script import EMAIL, PASSWORD, build_refusal, build_success
from tests.support.openai_script import build_openai_error
from tests.support.sensenova_script import (
    API_KEY,
    ScriptedTokenSource,
    build_stream_body,
    build_stream_response,
    create_provider,
)
from tests.support.upstream_script import build_mhapi_error, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest, UpstreamScript

ACCESS_KEY = "AK-visible-nowhere"
SECRET_KEY = "SK-hidden-everywhere"
OPENAI_KEY = "OPENAI-hidden-everywhere"
MIAOHUA_TOKEN = "MH-hidden-everywhere"


@dataclass(frozen=True, kw_only=True)
class OwnService(ScriptedService):
    """One of our services: what it says of batches beside what every service says."""

    has_tokens: bool = True
    """Its keys are exchanged for tokens, which run out."""
    batch_path: str = ""
    """Where it is asked about several tasks at once."""
    batch_refusal: httpx2.Response = field(default_factory=lambda: httpx2.Response(404))


def _build_request(model: str) -> Request:
    fields = {"prompt": "a very private prompt", "model": model, "width": 960, "height": 960, "steps": 5, "guidance": 5}
    return GenerateImage.model_validate(fields)


def _make_mhapi(script: UpstreamScript, clock: AutoAdvanceClock) -> Provider:
    return MhapiProvider(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        base_url="https://s.example",
        clock=clock,
        transport=script.transport,
    )


def _make_miaohua(script: UpstreamScript, clock: AutoAdvanceClock) -> Provider:
    return MiaohuaProvider(
        email=EMAIL, password=PASSWORD, base_url="https://s.example", clock=clock, transport=script.transport
    )


def _make_sensenova(script: UpstreamScript, clock: AutoAdvanceClock) -> Provider:
    return create_provider(
        script, clock, miaohua_token=ScriptedTokenSource(MIAOHUA_TOKEN, "second-token", "third-token")
    )


def _make_openai(script: UpstreamScript, clock: AutoAdvanceClock) -> Provider:
    return OpenaiProvider(name="openai_images", api_key=OPENAI_KEY, clock=clock, transport=script.transport)


SERVICES = {
    "openai_images": OwnService(
        has_tokens=False,
        make_provider=_make_openai,
        request=_build_request("gpt-image-2").model_copy(update={"steps": None, "guidance": None}),
        submit_path="/v1/images/generations",
        accepted=build_response({"created": 1, "data": [{"b64_json": "aW1hZ2U="}]}),
        outcome=TaskSucceeded((OutputImage(data=b"image"),)),
        refusals={
            AuthenticationFailed: build_openai_error(401, "invalid_api_key"),
            InvalidRequest: build_openai_error(400, "invalid_value"),
            AccountRefused: build_openai_error(429, "insufficient_quota"),
            ContentRefused: build_openai_error(400, "moderation_blocked"),
        },
        too_fast=build_openai_error(429, "rate_limit_exceeded"),
        secrets=(OPENAI_KEY,),
        build_refusal=lambda words: build_openai_error(400, "invalid_value", words),
    ),
    "mhapi": OwnService(
        make_provider=_make_mhapi,
        request=_build_request("artist_v0.5.0"),
        submit_path="/v1/imgenstd/imgen",
        accepted=build_response({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "imgenstd"),
        poll_path="/v1/imgenstd/result/t1",
        batch_path="/v1/imgenstd/results",
        batch_refusal=build_mhapi_error(12, status=501),
        running_answer=build_response({"state": "RUNNING", "images": []}),
        refusals={
            AuthenticationFailed: build_mhapi_error(16, status=401),
            InvalidRequest: build_mhapi_error(3),
            AccountRefused: build_mhapi_error(7, status=403),
            ContentRefused: build_mhapi_error(18),
        },
        too_fast=build_mhapi_error(8, status=429),
        secrets=(SECRET_KEY,),
        build_refusal=lambda words: build_mhapi_error(3, words),
    ),
    "miaohua": OwnService(
        make_provider=_make_miaohua,
        request=_build_request("sgl_artist_v0.3.5_0925"),
        submit_path="/task_submit",
        accepted=build_success({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "pictures"),
        poll_path="/task_result",
        batch_path="/task_results",
        batch_refusal=build_response("", 404),
        running_answer=build_success({"state": "pending", "images": [], "wait_time": 0}),
        refusals={
            AuthenticationFailed: build_refusal(411),
            InvalidRequest: build_refusal(129),
            AccountRefused: build_refusal(124),
            ContentRefused: build_refusal(430),
        },
        too_fast=build_refusal(429),
        secrets=(PASSWORD, EMAIL, "TOKEN-of-the-day"),
        build_refusal=lambda words: build_refusal(129, words),
        other_answers={"/get_token": build_success({"token": "TOKEN-of-the-day"})},
    ),
    "sensenova": OwnService(
        make_provider=_make_sensenova,
        request=ChatWithImage.model_validate({"messages": [{"role": "user", "content": "a very private prompt"}]}),
        submit_path="/v1/fusion/chat-with-image",
        accepted=build_stream_response(build_stream_body("Hello")),
        outcome=TaskSucceeded(data={"text": "Hello", "would_draw": False, "finish_reason": "stop"}, image_count=0),
        refusals={
            AuthenticationFailed: build_response({"code": 401, "msg": "no", "data": None}, 401),
            InvalidRequest: build_response({"code": 400, "msg": "no", "data": None}, 400),
            ContentRefused: build_stream_response(build_stream_body("no", has_image=True)),
        },
        too_fast=build_response({"code": 429, "msg": "no", "data": None}, 429),
        secrets=(API_KEY, MIAOHUA_TOKEN),
        build_refusal=lambda words: build_response({"code": 400, "msg": words, "data": None}, 400),
    ),
}
TASK_ID = "t1"
POLLED_SERVICES = [name for name, service in SERVICES.items() if service.poll_path]


class TestSubmits(SubmitContract):
    """On all services."""

    @pytest.fixture(params=SERVICES)
    def service(self, request: pytest.FixtureRequest) -> OwnService:
        return SERVICES[request.param]

    async def test_a_refused_token_is_replaced_once(
        self, provider: Provider, service: OwnService, script: UpstreamScript
    ) -> None:
        if not service.has_tokens:
            pytest.skip("its key is sent as it is")
        refused_token = service.refusals[AuthenticationFailed]
        script.set_steps(service.submit_path, [refused_token, service.accepted])
        await provider_calls.submit(provider, service.request)
        script.set_steps(service.submit_path, refused_token)
        with pytest.raises(AuthenticationFailed):
            await provider_calls.submit(provider, service.request)
        assert service.count_submits(script) == 4

    async def test_what_it_cannot_do_is_refused_before_anything_is_sent(
        self, provider: Provider, service: OwnService, script: UpstreamScript
    ) -> None:
        model = getattr(service.request, "model", None)
        fields = {"prompt": "x" * 2000, "seed": 99_999_998, "samples": 8, "model": model}
        request = GenerateImage.model_validate(fields)
        with pytest.raises((InvalidRequest, ConfigurationError)):
            await provider_calls.plan(Router([provider]).find_candidates(request)[0], request)
        assert service.count_submits(script) == 0


class TestPolls(PollContract):
    """On the services whose jobs go on after the submit."""

    @pytest.fixture(params=POLLED_SERVICES)
    def service(self, request: pytest.FixtureRequest) -> OwnService:
        return SERVICES[request.param]

    async def test_a_prompt_passes_few_hands_on_its_way_out(
        self, provider: Provider, service: OwnService, script: UpstreamScript
    ) -> None:
        """From ``submit`` to the HTTP client: operation, session, client, one attempt."""
        functions: list[str] = []

        def record_stack(_: SentRequest) -> httpx2.Response:
            providers = Path(atelier_mcp.server.providers.__file__).parent
            frames = traceback.extract_stack()
            functions.extend(frame.name for frame in frames if Path(frame.filename).is_relative_to(providers))
            return service.accepted

        script.set_steps(service.submit_path, record_stack)
        await provider_calls.submit(provider, service.request)
        assert functions[0] == "submit"
        assert len(functions) <= 5, " -> ".join(functions)

    async def test_what_a_poll_asks_beyond_its_first_request_keeps_the_accounts_rate(
        self, provider: Provider, service: OwnService, script: UpstreamScript, clock: AutoAdvanceClock
    ) -> None:
        """Here twelve tasks one by one, after the batch form was refused: six requests a second."""
        assert isinstance(service.outcome, UpstreamTask)
        tasks = [UpstreamTask(f"t{number}", service.outcome.kind) for number in range(12)]
        script.set_steps(service.batch_path, service.batch_refusal)
        for task in tasks:
            script.set_steps(service.poll_path.replace(TASK_ID, task.id), service.running_answer)
        provider.poll_rate_limit.take(clock.monotonic())
        assert set(await provider.poll(tasks)) == {task.id for task in tasks}
        assert len(script.requests) - script.list_paths().count("/get_token") == 13
        assert clock.monotonic() >= 2.0
        assert provider.poll_rate_limit.compute_wait_s(clock.monotonic(), allow_burst=False) > 0
