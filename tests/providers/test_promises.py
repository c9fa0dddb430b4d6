"""What every provider promises, whatever its service does."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2
import pytest
from scripted import Script, answer, fault
from scripted_miaohua import EMAIL, PASSWORD, ok, refusal
from scripted_sensenova import API_KEY, Payer, provider_for, said, stream

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    TransientError,
)
from atelier_mcp.server.providers.base import Done, Provider, UpstreamTask, Working
from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from scripted import HandClock, Sent

    from atelier_mcp.server.requests.base import Request

ACCESS_KEY = "AK-visible-nowhere"
SECRET_KEY = "SK-hidden-everywhere"
MIAOHUA_TOKEN = "MH-hidden-everywhere"
Make: TypeAlias = "Callable[[Script, HandClock], Provider]"


@dataclass(frozen=True)
class Service:
    """One service as a script plays it: where it takes jobs, how it says the usual things."""

    make: Make
    request: Request
    submit: str
    accepted: httpx2.Response
    outcome: UpstreamTask | Done
    """What the accepted job is."""
    refused_token: httpx2.Response
    refusals: Mapping[type[AtelierError], httpx2.Response]
    too_fast: httpx2.Response
    secrets: tuple[str, ...]
    refusing: Callable[[str], httpx2.Response]
    """A refusal of the request in these words."""
    look: str = ""
    """Where it is asked about jobs; nowhere, if the answer to a submit is all there is."""
    at_work: httpx2.Response = field(default_factory=lambda: httpx2.Response(404))
    usual: Mapping[str, httpx2.Response] = field(default_factory=dict[str, httpx2.Response])
    """Answers to what it is asked beside that."""


def _picture(model: str) -> Request:
    fields = {"prompt": "a very private prompt", "model": model, "width": 960, "height": 960, "steps": 5, "guidance": 5}
    return GenerateImage.model_validate(fields)


def _mhapi(script: Script, clock: HandClock) -> Provider:
    return MhapiProvider(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        base_url="https://s.example",
        clock=clock,
        transport=script.transport,
    )


def _miaohua(script: Script, clock: HandClock) -> Provider:
    return MiaohuaProvider(
        email=EMAIL, password=PASSWORD, base_url="https://s.example", clock=clock, transport=script.transport
    )


def _sensenova(script: Script, clock: HandClock) -> Provider:
    return provider_for(script, clock, miaohua_token=Payer(MIAOHUA_TOKEN, "second-token", "third-token"))


SERVICES = {
    "mhapi": Service(
        make=_mhapi,
        request=_picture("artist_v0.5.0"),
        submit="/v1/imgenstd/imgen",
        accepted=answer({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "imgenstd"),
        look="/v1/imgenstd/result/t1",
        at_work=answer({"state": "RUNNING", "task_id": "t1", "images": []}),
        refused_token=fault(16, status=401),
        refusals={
            InvalidRequest: fault(3),
            AccountRefused: fault(7, status=403),
            ContentRefused: fault(18),
        },
        too_fast=fault(8, status=429),
        secrets=(SECRET_KEY,),
        refusing=lambda words: fault(3, words),
    ),
    "miaohua": Service(
        make=_miaohua,
        request=_picture("sgl_artist_v0.3.5_0925"),
        submit="/task_submit",
        accepted=ok({"task_id": "t1"}),
        outcome=UpstreamTask("t1", "pictures"),
        look="/task_result",
        at_work=ok({"state": "pending", "images": [], "wait_time": 0}),
        refused_token=refusal(411),
        refusals={
            InvalidRequest: refusal(129),
            AccountRefused: refusal(124),
            ContentRefused: refusal(430),
        },
        too_fast=refusal(429),
        secrets=(PASSWORD, EMAIL, "TOKEN-of-the-day"),
        refusing=lambda words: refusal(129, words),
        usual={"/get_token": ok({"token": "TOKEN-of-the-day"})},
    ),
    "sensenova": Service(
        make=_sensenova,
        request=ChatWithImage.model_validate({"messages": [{"role": "user", "content": "a very private prompt"}]}),
        submit="/v1/fusion/chat-with-image",
        accepted=stream(said("Hello")),
        outcome=Done(data={"text": "Hello", "would_draw": False, "finish_reason": "stop"}, cost=0),
        refused_token=answer({"code": 401, "msg": "no", "data": None}, 401),
        refusals={
            InvalidRequest: answer({"code": 400, "msg": "no", "data": None}, 400),
            ContentRefused: stream(said("no", picture=True)),
        },
        too_fast=answer({"code": 429, "msg": "no", "data": None}, 429),
        secrets=(API_KEY, MIAOHUA_TOKEN),
        refusing=lambda words: answer({"code": 400, "msg": words, "data": None}, 400),
    ),
}
MAYBE_ARRIVED = [
    httpx2.ReadError("no"),
    httpx2.WriteError("no"),
    httpx2.ReadTimeout("no"),
    httpx2.RemoteProtocolError("no"),
    answer("", 500),
    answer("<html>", 502),
    answer("not json"),
    answer({}),
]
TASK_ID = "t1"
LOOKING = [name for name, service in SERVICES.items() if service.look]
looking = pytest.mark.parametrize("service", LOOKING, indirect=True)
"""For what is promised of looks: those services whose jobs go on after the submit."""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture
async def provider(service: Service, script: Script, clock: HandClock) -> AsyncGenerator[Provider]:
    for path, steps in service.usual.items():
        script.on(path, steps)
    made = service.make(script, clock)
    yield made
    await made.close()


def asked(script: Script, service: Service) -> int:
    """How often the job was submitted."""
    return script.paths().count(service.submit)


async def submit(provider: Provider, service: Service) -> UpstreamTask | Done:
    return await provider.submit(service.request, {}, lambda share, word: None)


async def look(provider: Provider, service: Service) -> Any:
    assert isinstance(service.outcome, UpstreamTask)
    return await provider.look([service.outcome])


async def test_its_account_has_a_name_without_a_secret(provider: Provider, service: Service) -> None:
    assert provider.account.startswith(f"{provider.name}:")
    assert len(provider.account) == len(provider.name) + 9
    assert not [secret for secret in service.secrets if secret in provider.account]


async def test_an_accepted_job_is_a_task_or_its_result(provider: Provider, service: Service, script: Script) -> None:
    script.on(service.submit, service.accepted)
    assert await submit(provider, service) == service.outcome


@pytest.mark.parametrize("broken", MAYBE_ARRIVED, ids=repr)
async def test_a_submit_that_may_have_arrived_is_never_sent_again(
    provider: Provider, service: Service, script: Script, broken: Any
) -> None:
    script.on(service.submit, [broken, service.accepted])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(provider, service)
    assert caught.value.spent is Spent.MAYBE
    assert asked(script, service) == 1


async def test_a_submit_that_certainly_did_not_arrive_is_sent_again(
    provider: Provider, service: Service, script: Script
) -> None:
    script.on(service.submit, [httpx2.ConnectError("no"), service.too_fast, service.accepted])
    assert await submit(provider, service) == service.outcome
    assert asked(script, service) == 3


async def test_a_service_that_stays_busy_is_left_alone(provider: Provider, service: Service, script: Script) -> None:
    script.on(service.submit, service.too_fast)
    with pytest.raises(RateLimited) as caught:
        await submit(provider, service)
    assert caught.value.spent is Spent.NOTHING
    assert asked(script, service) == 3


@pytest.mark.parametrize("expected", [InvalidRequest, AccountRefused, ContentRefused])
async def test_a_refused_submit_costs_nothing_and_is_not_repeated(
    provider: Provider, service: Service, script: Script, expected: type[AtelierError]
) -> None:
    if expected not in service.refusals:
        pytest.skip("the service has no such refusal")
    script.on(service.submit, service.refusals[expected])
    with pytest.raises(expected) as caught:
        await submit(provider, service)
    assert type(caught.value) is expected
    assert caught.value.spent not in {Spent.MAYBE, Spent.YES}
    assert asked(script, service) == 1


async def test_a_refused_token_is_replaced_once(provider: Provider, service: Service, script: Script) -> None:
    script.on(service.submit, [service.refused_token, service.accepted])
    await submit(provider, service)
    script.on(service.submit, service.refused_token)
    with pytest.raises(AuthenticationFailed):
        await submit(provider, service)
    assert asked(script, service) == 4


@looking
@pytest.mark.parametrize("broken", [httpx2.ReadError("no"), answer("", 503), answer("not json")], ids=repr)
async def test_a_failed_look_says_nothing_of_the_task(
    provider: Provider, service: Service, script: Script, broken: Any
) -> None:
    script.on(service.look, broken)
    with pytest.raises(TransientError):
        await look(provider, service)
    script.on(service.look, service.at_work)
    assert await look(provider, service) == {TASK_ID: Working()}


@looking
async def test_trouble_with_the_account_does_not_fail_running_jobs(
    provider: Provider, service: Service, script: Script
) -> None:
    for trouble in (service.refused_token, service.refusals[AccountRefused]):
        script.on(service.look, trouble)
        with pytest.raises(ProviderUnavailable):
            await look(provider, service)


@looking
async def test_looks_never_come_faster_than_the_account_may(
    provider: Provider, service: Service, script: Script, clock: HandClock
) -> None:
    script.on(service.look, service.at_work)
    for _ in range(int(3 * provider.polls_per_s)):
        await look(provider, service)
    assert clock.monotonic() >= 1.99


async def test_what_it_cannot_do_is_refused_before_anything_is_sent(
    provider: Provider, service: Service, script: Script
) -> None:
    model = getattr(service.request, "model", None)
    fields = {"prompt": "x" * 2000, "seed": 99_999_998, "samples": 8, "model": model}
    request = GenerateImage.model_validate(fields)
    with pytest.raises(InvalidRequest):
        await provider.plan(request, {})
    assert asked(script, service) == 0


async def test_secrets_prompts_and_signed_links_stay_inside(
    provider: Provider, service: Service, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: Sent) -> httpx2.Response:
        words = " ".join(
            [*service.secrets, sent.headers.get("authorization", ""), "https://b.example/i.png?Signature=abc"]
        )
        return service.refusing(words)

    script.on(service.submit, echo)
    with pytest.raises(InvalidRequest) as caught:
        await submit(provider, service)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (*service.secrets, "Signature=abc", "eyJ"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private prompt" in text]
