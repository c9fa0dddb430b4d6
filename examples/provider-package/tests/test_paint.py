"""The contract of every provider, and what is Paint's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import (
    AccountRefused,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import TaskFailed, UpstreamTask
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.testing import (
    AutoAdvanceClock,
    PollContract,
    ScriptedService,
    SubmitContract,
    UpstreamScript,
    build_response,
    plan,
)
from atelier_paint.provider import PaintProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.provider import Provider

KEY = "paint-key-of-the-tests"


def make_provider(script: UpstreamScript, clock: AutoAdvanceClock) -> PaintProvider:
    """An account at a service that the script plays."""
    base_url = "https://api.paint.example"
    return PaintProvider(api_key=KEY, base_url=base_url, clock=clock, transport=script.transport)


SERVICE = ScriptedService(
    make_provider=make_provider,
    request=GenerateImage.model_validate({"prompt": "a very private prompt", "width": 960, "height": 960}),
    submit_path="/v1/pictures",
    accepted=build_response({"task_id": "t1"}),
    outcome=UpstreamTask("t1", kind="pictures"),
    poll_path="/v1/pictures/t1",
    running_answer=build_response({"state": "working"}),
    refusals={
        AuthenticationFailed: build_response({"error": {"code": "wrong_key", "message": "no"}}, 401),
        AccountRefused: build_response({"error": {"code": "no_balance", "message": "no"}}, 402),
        ContentRefused: build_response({"error": {"code": "forbidden_words", "message": "no"}}, 400),
        InvalidRequest: build_response("no", 422),
    },
    too_fast=build_response("", 429),
    build_refusal=lambda words: build_response({"error": {"code": "", "message": words}}, 400),
    secrets=(KEY,),
)


class TestPaint(SubmitContract, PollContract):
    """What every provider promises."""

    @pytest.fixture
    def service(self) -> ScriptedService:
        """Paint, as the script plays it."""
        return SERVICE

    async def test_what_paint_does_not_have_is_refused_by_name(self, provider: Provider) -> None:
        """Before anything is sent."""
        request = GenerateImage.model_validate({"prompt": "a kite", "steps": 30, "samples": 4})
        with pytest.raises(InvalidRequest, match="samples, steps: Paint does not have that"):
            await plan(provider, request)

    async def test_a_failed_task_fails_with_the_services_words(
        self, provider: Provider, script: UpstreamScript
    ) -> None:
        """Quoted, as all that a service says."""
        script.set_steps("/v1/pictures/t1", build_response({"state": "failed", "reason": "The brush broke."}))
        snapshot = (await provider.poll([UpstreamTask("t1", kind="pictures")]))["t1"]
        assert isinstance(snapshot, TaskFailed)
        assert isinstance(snapshot.reason, UpstreamFailed)
        assert snapshot.reason.message == 'Paint failed. Paint says: "The brush broke."'
