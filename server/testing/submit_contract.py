"""What every provider promises of submits and secrets, whatever its service does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final

import httpx2
import pytest
import stamina

from atelier_mcp.server.errors import AuthenticationFailed, InvalidRequest, RateLimited, Spent, SubmitUnconfirmed
from atelier_mcp.server.testing.auto_clock import AutoAdvanceClock
from atelier_mcp.server.testing.provider_calls import submit
from atelier_mcp.server.testing.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.testing.scripted_service import ScriptedService
    from atelier_mcp.server.testing.upstream_script import SentRequest

MAYBE_ARRIVED: Final = (
    httpx2.ReadError("no"),
    httpx2.WriteError("no"),
    httpx2.ReadTimeout("no"),
    httpx2.RemoteProtocolError("no"),
    build_response("", 500),
    build_response("<html>", 502),
    build_response("not json"),
    build_response({}),
)
"""After each of these nobody knows whether the service has the job."""


class ProviderFixtures:
    """The fixtures of both contracts. A subclass gives ``service``, a fixture with the ``ScriptedService``."""

    pytestmark: ClassVar[pytest.MarkDecorator] = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The event loop that the server runs on."""
        return "asyncio"

    @pytest.fixture(autouse=True)
    def no_waiting(self) -> Generator[None]:
        """What is repeated is repeated at once."""
        with stamina.set_testing(True, attempts=3, cap=True):
            yield

    @pytest.fixture
    def clock(self) -> AutoAdvanceClock:
        """Time that passes only where it is slept."""
        return AutoAdvanceClock()

    @pytest.fixture
    def script(self) -> UpstreamScript:
        """The service, which answers nothing yet."""
        return UpstreamScript()

    @pytest.fixture
    async def provider(
        self, service: ScriptedService, script: UpstreamScript, clock: AutoAdvanceClock
    ) -> AsyncGenerator[Provider]:
        """The provider of the scripted service."""
        for path, steps in service.other_answers.items():
            script.set_steps(path, steps)
        instance = service.make_provider(script, clock)
        yield instance
        await instance.close()


class SubmitContract(ProviderFixtures):
    """For every provider that makes jobs."""

    async def test_its_account_has_a_name_without_a_secret(self, provider: Provider, service: ScriptedService) -> None:
        """Such as ``mhapi:3f9a12c4``."""
        assert provider.account.startswith(f"{provider.name}:")
        assert len(provider.account) == len(provider.name) + 9
        assert not [secret for secret in service.secrets if secret in provider.account]

    async def test_an_accepted_job_is_a_task_or_its_result(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript
    ) -> None:
        """As the answer says."""
        script.set_steps(service.submit_path, service.accepted)
        assert await submit(provider, service.request) == service.outcome

    @pytest.mark.parametrize("broken", MAYBE_ARRIVED, ids=repr)
    async def test_a_submit_that_may_have_arrived_is_never_sent_again(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript, broken: Any
    ) -> None:
        """It could be paid for twice."""
        script.set_steps(service.submit_path, [broken, service.accepted])
        with pytest.raises(SubmitUnconfirmed) as caught:
            await submit(provider, service.request)
        assert caught.value.spent is Spent.MAYBE
        assert service.count_submits(script) == 1

    async def test_a_submit_that_certainly_did_not_arrive_is_sent_again(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript
    ) -> None:
        """No connection was made, or the service was too busy to take it."""
        script.set_steps(service.submit_path, [httpx2.ConnectError("no"), service.too_fast, service.accepted])
        assert await submit(provider, service.request) == service.outcome
        assert service.count_submits(script) == 3

    async def test_a_service_that_stays_busy_is_left_alone(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript
    ) -> None:
        """After three attempts; nothing was spent."""
        script.set_steps(service.submit_path, service.too_fast)
        with pytest.raises(RateLimited) as caught:
            await submit(provider, service.request)
        assert caught.value.spent is Spent.NOTHING
        assert service.count_submits(script) == 3

    async def test_a_refused_submit_costs_nothing_and_is_not_repeated(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript
    ) -> None:
        """But once with a new token, where the service refuses the former."""
        for expected, answer in service.refusals.items():
            script.requests.clear()
            script.set_steps(service.submit_path, answer)
            with pytest.raises(expected) as caught:
                await submit(provider, service.request)
            assert type(caught.value) is expected
            assert caught.value.spent not in {Spent.MAYBE, Spent.YES}
            assert service.count_submits(script) <= (2 if expected is AuthenticationFailed else 1)

    async def test_secrets_prompts_and_signed_links_stay_inside(
        self,
        provider: Provider,
        service: ScriptedService,
        script: UpstreamScript,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Even when the service says them back."""
        caplog.set_level(logging.INFO)

        def echo(sent: SentRequest) -> httpx2.Response:
            authorization = sent.headers.get("authorization", "")
            link = "https://b.example/i.png?Signature=abc"
            return service.build_refusal(" ".join([*service.secrets, authorization, link]))

        script.set_steps(service.submit_path, echo)
        with pytest.raises(InvalidRequest) as caught:
            await submit(provider, service.request)
        logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        for word in (*service.secrets, "Signature=abc", "eyJ"):
            assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
        assert not [text for text in logged if "private prompt" in text]
