"""An upstream that follows a script, below a provider's HTTP client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class SentRequest:
    """A request as it arrived."""

    method: str
    path: str
    """As it was sent, without the query."""
    query: dict[str, str]
    body: Any
    """The JSON document; None for anything else."""
    headers: dict[str, str]
    """Names in lower case."""
    content: bytes = b""


ScriptStep: TypeAlias = "httpx2.Response | Exception | Callable[[SentRequest], httpx2.Response]"
"""What is answered once: a response, an error of the connection, or what a function makes of the request."""


def build_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """A JSON answer; text is sent as it stands."""
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx2.Response(status, content=content, headers=headers)


class UpstreamScript:
    """Answers by path: a list is played step by step, its last step for ever; anything unscripted fails the test."""

    def __init__(self, **paths: Any) -> None:
        """Know the steps of these paths; ``set_steps`` gives more."""
        self.requests: list[SentRequest] = []
        self._steps: dict[str, list[ScriptStep]] = {}
        for path, steps in paths.items():
            self.set_steps(path, steps)

    def set_steps(self, path: str, steps: Any) -> None:
        """What is answered at a path: a response, an error to raise, a function of the ``SentRequest``, or a list."""
        self._steps[path] = list(steps) if isinstance(steps, list | tuple) else [steps]  # pyright: ignore[reportUnknownArgumentType]  # a list of steps

    @property
    def transport(self) -> httpx2.MockTransport:
        """In place of the network, for ``UpstreamClient(transport=...)``."""
        return httpx2.MockTransport(self._handle)

    def list_paths(self) -> list[str]:
        """What was asked, in order."""
        return [request.path for request in self.requests]

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        content = request.content
        multipart = request.headers.get("content-type", "").startswith("multipart/")
        sent_request = SentRequest(
            request.method,
            request.url.raw_path.decode().partition("?")[0],
            dict(request.url.params),
            json.loads(content) if content and not multipart else None,
            {name.lower(): value for name, value in request.headers.items()},
            content,
        )
        self.requests.append(sent_request)
        steps = self._steps.get(sent_request.path)
        if steps is None:
            raise AssertionError(f"unscripted: {sent_request.method} {sent_request.path}")
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step(sent_request)
        return httpx2.Response(step.status_code, content=step.content, headers=step.headers)
