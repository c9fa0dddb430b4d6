"""What a provider promises of polls, where its jobs go on after the submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

from atelier_mcp.server.errors import OperatorError, ProviderUnavailable, TransientError
from atelier_mcp.server.providers.base import TaskPending, TaskRunning, TaskSnapshot, UpstreamTask
from atelier_mcp.server.testing.submit_contract import ProviderFixtures
from atelier_mcp.server.testing.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.testing.auto_clock import AutoAdvanceClock
    from atelier_mcp.server.testing.scripted_service import ScriptedService
    from atelier_mcp.server.testing.upstream_script import UpstreamScript


GATEWAY_STATUSES: Final = (400, 401, 403, 404, 405, 408, 409, 410, 413, 418, 421, 425, 451, 502)
"""Any gateway on the way may say these, whatever has become of the task."""


async def poll(provider: Provider, service: ScriptedService) -> Mapping[str, TaskSnapshot]:
    """What the provider says of the service's task."""
    assert isinstance(service.outcome, UpstreamTask), "only a task can be polled"
    return await provider.poll([service.outcome])


class PollContract(ProviderFixtures):
    """For every provider whose submits answer with a task; its service has ``poll_path`` and ``running_answer``."""

    @pytest.mark.parametrize(
        "broken",
        [
            httpx2.ReadError("no"),
            build_response("", 503),
            build_response("not json"),
            *(build_response("<html>404 Not Found</html>", status) for status in GATEWAY_STATUSES),
            build_response({"message": "no Route matched with those values"}, 404),
        ],
        ids=repr,
    )
    async def test_a_failed_poll_says_nothing_of_the_task(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript, broken: Any
    ) -> None:
        """A paid job is not given up for a broken connection, or for a gateway's refusal."""
        # One step, played for ever: a provider that repeats the poll meets it each time.
        script.set_steps(service.poll_path, broken)
        with pytest.raises(TransientError):
            await poll(provider, service)
        script.set_steps(service.poll_path, service.running_answer)
        (snapshot,) = (await poll(provider, service)).values()
        assert isinstance(snapshot, TaskPending | TaskRunning)

    async def test_trouble_with_the_account_does_not_fail_running_jobs(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript
    ) -> None:
        """They wait until the operator has mended it."""
        for error_class, answer in service.refusals.items():
            if issubclass(error_class, OperatorError):
                script.set_steps(service.poll_path, answer)
                with pytest.raises(ProviderUnavailable):
                    await poll(provider, service)

    async def test_the_first_request_of_a_poll_does_not_wait(
        self, provider: Provider, service: ScriptedService, script: UpstreamScript, clock: AutoAdvanceClock
    ) -> None:
        """Whoever calls ``poll`` has counted it on ``poll_rate_limit``, and waited for it."""
        script.set_steps(service.poll_path, service.running_answer)
        # The clock stands still: were the polls counted here as well, one of them would soon sleep.
        for _ in range(18):
            await poll(provider, service)
        assert clock.sleeps_s == []
