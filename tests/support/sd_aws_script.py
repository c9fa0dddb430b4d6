"""A scripted deployment of Stable Diffusion on AWS, and a provider of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.providers.base import (
    SubmitAnswer,
    TaskSnapshot,
    UpstreamTask,
)
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
from atelier_mcp.server.providers.sd_aws.uploads.files import MIN_PART_BYTES
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from tests.support.clock import AutoAdvanceClock

KEY = "SK-hidden-everywhere"
READY = {"EndpointDeploymentJobId": "e1", "endpoint_name": "infer-endpoint-one", "endpoint_status": "InService"}
BASE = {"id": "c1", "type": "Stable-diffusion", "status": "Active", "name": ["v1-5.ckpt"]}
FILES = {"statusCode": 200, "checkpoints": [BASE]}
REQUEST = GenerateImage.model_validate({"prompt": "a very private prompt"})
FILE_BYTES = 2 * MIN_PART_BYTES + 1000


VERSION_HEADERS = {"1.4": "1.3.0", "1.5": "1.5.0", "1.7": "1.7.0"}
"""What each version says of itself."""


class ScriptedDeployment:
    """A service by path, of any version; links of storage are taken like it does."""

    def __init__(self, version: str = "1.3") -> None:
        self.version = version
        self.sent: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.stored: list[str] = []
        self.contents: dict[str, bytes] = {}
        self.answers: dict[str, list[Any]] = {
            "GET /ping": [
                build_response({"message": "Missing Authentication Token"}, 403)
                if version == "1.3"
                else build_response({"message": "pong"}, headers={"x-api-version": VERSION_HEADERS[version]})
            ],
            "GET /inference/test-connection": [
                build_response({"message": "Success"})
                if version == "1.3"
                else build_response({"message": "Missing Authentication Token"}, 403)
            ],
            "GET /endpoints": [build_response([READY])],
            "GET /checkpoints": [build_response(FILES)],
        }
        self.spoil: Callable[[str], httpx2.Response | None] = lambda link: None

    def on(self, call: str, *steps: Any) -> None:
        """Answer a call with these steps in order, the last one for ever: a response, an error, or what gives a
        response for a query."""
        self.answers[call] = list(steps)

    def calls(self, *, about: str = "") -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.sent if about in path]

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        content = await request.aread()
        if request.url.host == "storage.example":
            assert "x-api-key" not in request.headers, "the key goes to nobody but the API"
            link = str(request.url)
            if (spoilt := self.spoil(link)) is not None:
                return spoilt
            if request.method == "GET":
                return httpx2.Response(206, content=b"x")
            assert int(request.headers["content-length"]) == len(content)
            self.stored.append(link)
            self.contents[link] = content
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            return httpx2.Response(200, headers={"ETag": f'"{digest}"'})
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/prod")
        self.sent.append((request.method, path, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        self.queries.append(dict(request.url.params))
        steps = self.answers.get(f"{request.method} {path}")
        if steps is None:
            raise AssertionError(f"unscripted: {request.method} {path}")
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        response: httpx2.Response = step if isinstance(step, httpx2.Response) else step(self.queries[-1])
        return httpx2.Response(response.status_code, content=response.content, headers=response.headers)


@pytest.fixture
def deployment() -> ScriptedDeployment:
    return ScriptedDeployment()


@pytest.fixture
async def new_provider(clock: AutoAdvanceClock, tmp_path: Path) -> AsyncGenerator[Callable[..., SdAwsProvider]]:
    """Providers of one installation: they share a folder."""
    opened: list[SdAwsProvider] = []

    def make(deployment: ScriptedDeployment) -> SdAwsProvider:
        provider = SdAwsProvider(
            url="https://x.example/prod", api_key=KEY, username="admin", folder=tmp_path / "sd_aws", clock=clock,
            transport=httpx2.MockTransport(deployment.handle),
        )  # fmt: skip
        opened.append(provider)
        return provider

    yield make
    for provider in opened:
        await provider.close()


@pytest.fixture
def sd_aws(deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider]) -> SdAwsProvider:
    return new_provider(deployment)


async def submit(provider: SdAwsProvider, request: Any = REQUEST) -> SubmitAnswer:
    plan = await provider_calls.plan(provider, request, {})
    return await provider_calls.submit(provider, plan.request, {}, lambda share, word: None)


async def poll(provider: SdAwsProvider, task: SubmitAnswer) -> TaskSnapshot:
    assert isinstance(task, UpstreamTask)
    return (await provider.poll([task]))[task.id]
