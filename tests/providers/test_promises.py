"""What every provider promises, whatever its service does."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2
import pytest
from scripted import Script, answer, fault
from scripted_miaohua import EMAIL, PASSWORD, ok, refusal

from atelier.server.errors import (
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
from atelier.server.providers.base import Provider, UpstreamTask, Working
from atelier.server.providers.mhapi.provider import MhapiProvider
from atelier.server.providers.miaohua.provider import MiaohuaProvider
from atelier.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from scripted import HandClock, Sent

ACCESS_KEY = "AK-visible-nowhere"
SECRET_KEY = "SK-hidden-everywhere"
Make: TypeAlias = "Callable[[Script, HandClock], Provider]"


@dataclass(frozen=True)
class Service:
    """One service as a script plays it: where it takes jobs, how it says the usual things."""

    make: Make
    model: str
    kind: str
    submit: str
    accepted: httpx2.Response
    look: str
    at_work: httpx2.Response
    refused_token: httpx2.Response
    refusals: Mapping[type[AtelierError], httpx2.Response]
    too_fast: httpx2.Response
    secrets: tuple[str, ...]
    usual: Mapping[str, httpx2.Response] = field(default_factory=dict[str, httpx2.Response])
    """Answers to what it is asked beside that."""


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


SERVICES = {
    "mhapi": Service(
        make=_mhapi,
        model="artist_v0.5.0",
        kind="imgenstd",
        submit="/v1/imgenstd/imgen",
        accepted=answer({"task_id": "t1"}),
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
    ),
    "miaohua": Service(
        make=_miaohua,
        model="sgl_artist_v0.3.5_0925",
        kind="pictures",
        submit="/task_submit",
        accepted=ok({"task_id": "t1"}),
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
        usual={"/get_token": ok({"token": "TOKEN-of-the-day"})},
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


async def submit(provider: Provider, service: Service, *, prompt: str = "a very private prompt") -> Any:
    fields = {"prompt": prompt, "model": service.model, "width": 960, "height": 960, "steps": 5, "guidance": 5}
    request = GenerateImage.model_validate(fields)
    return await provider.submit(request, {}, lambda share, word: None)


async def look(provider: Provider, service: Service) -> Any:
    return await provider.look([UpstreamTask(TASK_ID, service.kind)])


async def test_its_account_has_a_name_without_a_secret(provider: Provider, service: Service) -> None:
    assert provider.account.startswith(f"{provider.name}:")
    assert len(provider.account) == len(provider.name) + 9
    assert not [secret for secret in service.secrets if secret in provider.account]


async def test_an_accepted_job_is_a_task(provider: Provider, service: Service, script: Script) -> None:
    script.on(service.submit, service.accepted)
    assert await submit(provider, service) == UpstreamTask(TASK_ID, service.kind)


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
    assert await submit(provider, service) == UpstreamTask(TASK_ID, service.kind)
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


@pytest.mark.parametrize("broken", [httpx2.ReadError("no"), answer("", 503), answer("not json")], ids=repr)
async def test_a_failed_look_says_nothing_of_the_task(
    provider: Provider, service: Service, script: Script, broken: Any
) -> None:
    script.on(service.look, broken)
    with pytest.raises(TransientError):
        await look(provider, service)
    script.on(service.look, service.at_work)
    assert await look(provider, service) == {TASK_ID: Working()}


async def test_trouble_with_the_account_does_not_fail_running_jobs(
    provider: Provider, service: Service, script: Script
) -> None:
    for trouble in (service.refused_token, service.refusals[AccountRefused]):
        script.on(service.look, trouble)
        with pytest.raises(ProviderUnavailable):
            await look(provider, service)


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
    fields = {"prompt": "x" * 2000, "seed": 99_999_998, "samples": 8, "model": service.model}
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
        return fault(3, words) if service.kind == "imgenstd" else refusal(129, words)

    script.on(service.submit, echo)
    with pytest.raises(InvalidRequest) as caught:
        await submit(provider, service)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (*service.secrets, "Signature=abc", "eyJ"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private prompt" in text]
