"""An upstream that follows a script."""

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
    query: dict[str, str]
    body: Any
    """The JSON document; None for anything else."""
    headers: dict[str, str]
    content: bytes = b""


ScriptStep: TypeAlias = "httpx2.Response | Exception | Callable[[SentRequest], httpx2.Response]"


def build_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """A JSON answer; text is sent as it stands."""
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx2.Response(status, content=content, headers=headers)


def build_mhapi_error(
    code: int, message: str = "no", status: int = 400, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    """MHAPI's error envelope."""
    return build_response({"error": {"code": code, "message": message, "details": []}}, status, headers)


class UpstreamScript:
    """Answers by path: a list is played step by step, its last step for ever; anything unscripted fails the test."""

    def __init__(self, **paths: Any) -> None:
        self.requests: list[SentRequest] = []
        self._steps: dict[str, list[ScriptStep]] = {}
        for path, steps in paths.items():
            self.set_steps(path, steps)

    def set_steps(self, path: str, steps: Any) -> None:
        self._steps[path] = list(steps) if isinstance(steps, list | tuple) else [steps]  # pyright: ignore[reportUnknownArgumentType]  # a list of steps

    @property
    def transport(self) -> httpx2.MockTransport:
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
