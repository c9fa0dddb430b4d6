"""What every provider promises, whatever its service does."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2
import pytest

import atelier_mcp.server.providers
from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    TransientError,
)
from atelier_mcp.server.providers.base import TaskRunning, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.requests.create import GenerateImage
from tests.support import provider_calls
from tests.support.miaohua_script import EMAIL, PASSWORD, build_refusal, build_success
from tests.support.sensenova_script import (
    API_KEY,
    ScriptedTokenSource,
    build_stream_body,
    build_stream_response,
    create_provider,
)
from tests.support.upstream_script import UpstreamScript, build_mhapi_error, build_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import SentRequest

ACCESS_KEY = "AK-visible-nowhere"
SECRET_KEY = "SK-hidden-everywhere"
MIAOHUA_TOKEN = "MH-hidden-everywhere"
MakeProvider: TypeAlias = "Callable[[UpstreamScript, AutoAdvanceClock], Provider]"


@dataclass(frozen=True)
class ScriptedService:
    """One service as a script plays it: where it takes jobs, how it says the usual things."""

    make_provider: MakeProvider
    request: Request
    submit_path: str
    accepted: httpx2.Response
    outcome: UpstreamTask | TaskSucceeded
    """What the accepted job is."""
    refused_token: httpx2.Response
    refusals: Mapping[type[AtelierError], httpx2.Response]
    too_fast: httpx2.Response
    secrets: tuple[str, ...]
    build_refusal: Callable[[str], httpx2.Response]
    """A refusal of the request in these words."""
    poll_path: str = ""
    """Where it is asked about jobs; nowhere, if the answer to a submit is all there is."""
    batch_path: str = ""
    """Where it is asked about several at once."""
    batch_refusal: httpx2.Response = field(default_factory=lambda: httpx2.Response(404))
    running_answer: httpx2.Response = field(default_factory=lambda: httpx2.Response(404))
    other_answers: Mapping[str, httpx2.Response] = field(default_factory=dict[str, httpx2.Response])
    """Answers to what it is asked beside that."""


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


SERVICES = {
    "mhapi": ScriptedService(
        make_provider=_make_mhapi,
        request=_build_request("artist_v0.5.0"),
        submit_path="/v1/imgenstd/imgen",
        accepted=build_response({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "imgenstd"),
        poll_path="/v1/imgenstd/result/t1",
        batch_path="/v1/imgenstd/results",
        batch_refusal=build_mhapi_error(12, status=501),
        running_answer=build_response({"state": "RUNNING", "task_id": "t1", "images": []}),
        refused_token=build_mhapi_error(16, status=401),
        refusals={
            InvalidRequest: build_mhapi_error(3),
            AccountRefused: build_mhapi_error(7, status=403),
            ContentRefused: build_mhapi_error(18),
        },
        too_fast=build_mhapi_error(8, status=429),
        secrets=(SECRET_KEY,),
        build_refusal=lambda words: build_mhapi_error(3, words),
    ),
    "miaohua": ScriptedService(
        make_provider=_make_miaohua,
        request=_build_request("sgl_artist_v0.3.5_0925"),
        submit_path="/task_submit",
        accepted=build_success({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "pictures"),
        poll_path="/task_result",
        batch_path="/task_results",
        batch_refusal=build_response("", 404),
        running_answer=build_success({"state": "pending", "images": [], "wait_time": 0}),
        refused_token=build_refusal(411),
        refusals={
            InvalidRequest: build_refusal(129),
            AccountRefused: build_refusal(124),
            ContentRefused: build_refusal(430),
        },
        too_fast=build_refusal(429),
        secrets=(PASSWORD, EMAIL, "TOKEN-of-the-day"),
        build_refusal=lambda words: build_refusal(129, words),
        other_answers={"/get_token": build_success({"token": "TOKEN-of-the-day"})},
    ),
    "sensenova": ScriptedService(
        make_provider=_make_sensenova,
        request=ChatWithImage.model_validate({"messages": [{"role": "user", "content": "a very private prompt"}]}),
        submit_path="/v1/fusion/chat-with-image",
        accepted=build_stream_response(build_stream_body("Hello")),
        outcome=TaskSucceeded(data={"text": "Hello", "would_draw": False, "finish_reason": "stop"}, image_count=0),
        refused_token=build_response({"code": 401, "msg": "no", "data": None}, 401),
        refusals={
            InvalidRequest: build_response({"code": 400, "msg": "no", "data": None}, 400),
            ContentRefused: build_stream_response(build_stream_body("no", has_image=True)),
        },
        too_fast=build_response({"code": 429, "msg": "no", "data": None}, 429),
        secrets=(API_KEY, MIAOHUA_TOKEN),
        build_refusal=lambda words: build_response({"code": 400, "msg": words, "data": None}, 400),
    ),
}
MAYBE_ARRIVED = [
    httpx2.ReadError("no"),
    httpx2.WriteError("no"),
    httpx2.ReadTimeout("no"),
    httpx2.RemoteProtocolError("no"),
    build_response("", 500),
    build_response("<html>", 502),
    build_response("not json"),
    build_response({}),
]
TASK_ID = "t1"
POLLED_SERVICES = [name for name, service in SERVICES.items() if service.poll_path]
for_polled_services = pytest.mark.parametrize("service", POLLED_SERVICES, indirect=True)
"""For what is promised of looks: those services whose jobs go on after the submit."""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> ScriptedService:
    return SERVICES[request.param]


@pytest.fixture
async def provider(
    service: ScriptedService, script: UpstreamScript, clock: AutoAdvanceClock
) -> AsyncGenerator[Provider]:
    for path, steps in service.other_answers.items():
        script.set_steps(path, steps)
    instance = service.make_provider(script, clock)
    yield instance
    await instance.close()


def count_submits(script: UpstreamScript, service: ScriptedService) -> int:
    """How often the job was submitted."""
    return script.list_paths().count(service.submit_path)


async def submit(provider: Provider, service: ScriptedService) -> UpstreamTask | TaskSucceeded:
    return await provider_calls.submit(provider, service.request)


async def poll(provider: Provider, service: ScriptedService) -> Any:
    assert isinstance(service.outcome, UpstreamTask)
    return await provider.poll([service.outcome])


async def test_its_account_has_a_name_without_a_secret(provider: Provider, service: ScriptedService) -> None:
    assert provider.account.startswith(f"{provider.name}:")
    assert len(provider.account) == len(provider.name) + 9
    assert not [secret for secret in service.secrets if secret in provider.account]


async def test_an_accepted_job_is_a_task_or_its_result(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    script.set_steps(service.submit_path, service.accepted)
    assert await submit(provider, service) == service.outcome


@for_polled_services
async def test_a_prompt_passes_few_hands_on_its_way_out(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    """From ``submit`` to the HTTP client: provider, operation, session, client, one attempt."""
    functions: list[str] = []

    def record_stack(_: SentRequest) -> httpx2.Response:
        providers = Path(atelier_mcp.server.providers.__file__).parent
        frames = traceback.extract_stack()
        functions.extend(frame.name for frame in frames if Path(frame.filename).is_relative_to(providers))
        return service.accepted

    script.set_steps(service.submit_path, record_stack)
    await submit(provider, service)
    assert functions[0] == "submit"
    assert len(functions) <= 5, " -> ".join(functions)


@pytest.mark.parametrize("broken", MAYBE_ARRIVED, ids=repr)
async def test_a_submit_that_may_have_arrived_is_never_sent_again(
    provider: Provider, service: ScriptedService, script: UpstreamScript, broken: Any
) -> None:
    script.set_steps(service.submit_path, [broken, service.accepted])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(provider, service)
    assert caught.value.spent is Spent.MAYBE
    assert count_submits(script, service) == 1


async def test_a_submit_that_certainly_did_not_arrive_is_sent_again(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    script.set_steps(service.submit_path, [httpx2.ConnectError("no"), service.too_fast, service.accepted])
    assert await submit(provider, service) == service.outcome
    assert count_submits(script, service) == 3


async def test_a_service_that_stays_busy_is_left_alone(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    script.set_steps(service.submit_path, service.too_fast)
    with pytest.raises(RateLimited) as caught:
        await submit(provider, service)
    assert caught.value.spent is Spent.NOTHING
    assert count_submits(script, service) == 3


@pytest.mark.parametrize("expected", [InvalidRequest, AccountRefused, ContentRefused])
async def test_a_refused_submit_costs_nothing_and_is_not_repeated(
    provider: Provider, service: ScriptedService, script: UpstreamScript, expected: type[AtelierError]
) -> None:
    if expected not in service.refusals:
        pytest.skip("the service has no such refusal")
    script.set_steps(service.submit_path, service.refusals[expected])
    with pytest.raises(expected) as caught:
        await submit(provider, service)
    assert type(caught.value) is expected
    assert caught.value.spent not in {Spent.MAYBE, Spent.YES}
    assert count_submits(script, service) == 1


async def test_a_refused_token_is_replaced_once(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    script.set_steps(service.submit_path, [service.refused_token, service.accepted])
    await submit(provider, service)
    script.set_steps(service.submit_path, service.refused_token)
    with pytest.raises(AuthenticationFailed):
        await submit(provider, service)
    assert count_submits(script, service) == 4


@for_polled_services
@pytest.mark.parametrize(
    "broken", [httpx2.ReadError("no"), build_response("", 503), build_response("not json")], ids=repr
)
async def test_a_failed_look_says_nothing_of_the_task(
    provider: Provider, service: ScriptedService, script: UpstreamScript, broken: Any
) -> None:
    script.set_steps(service.poll_path, broken)
    with pytest.raises(TransientError):
        await poll(provider, service)
    script.set_steps(service.poll_path, service.running_answer)
    assert await poll(provider, service) == {TASK_ID: TaskRunning()}


@for_polled_services
async def test_trouble_with_the_account_does_not_fail_running_jobs(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    for trouble in (service.refused_token, service.refusals[AccountRefused]):
        script.set_steps(service.poll_path, trouble)
        with pytest.raises(ProviderUnavailable):
            await poll(provider, service)


@for_polled_services
async def test_the_first_request_of_a_poll_does_not_wait(
    provider: Provider, service: ScriptedService, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    """Whoever calls ``poll`` has counted it on ``poll_rate_limit``, and waited for it."""
    script.set_steps(service.poll_path, service.running_answer)
    for _ in range(18):
        await poll(provider, service)
    assert clock.sleeps_s == []


@for_polled_services
async def test_what_a_poll_asks_beyond_that_keeps_the_accounts_rate(
    provider: Provider, service: ScriptedService, script: UpstreamScript, clock: AutoAdvanceClock
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


async def test_what_it_cannot_do_is_refused_before_anything_is_sent(
    provider: Provider, service: ScriptedService, script: UpstreamScript
) -> None:
    model = getattr(service.request, "model", None)
    fields = {"prompt": "x" * 2000, "seed": 99_999_998, "samples": 8, "model": model}
    request = GenerateImage.model_validate(fields)
    with pytest.raises((InvalidRequest, ConfigurationError)):
        await provider_calls.plan(Router([provider]).find_candidates(request)[0], request)
    assert count_submits(script, service) == 0


async def test_secrets_prompts_and_signed_links_stay_inside(
    provider: Provider, service: ScriptedService, script: UpstreamScript, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: SentRequest) -> httpx2.Response:
        words = " ".join(
            [*service.secrets, sent.headers.get("authorization", ""), "https://b.example/i.png?Signature=abc"]
        )
        return service.build_refusal(words)

    script.set_steps(service.submit_path, echo)
    with pytest.raises(InvalidRequest) as caught:
        await submit(provider, service)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (*service.secrets, "Signature=abc", "eyJ"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private prompt" in text]
