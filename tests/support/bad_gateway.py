"""A gateway in front of the emulator that answers some requests in its own way, for as long as it is told to."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.support.stepped_clock import SteppedClock

LOOKS = re.compile(
    r"/mhapi/v1/(\w+/results?\b|face/\w+/)|/task_results?$|/train_progress$|/get_token"
    r"|/prod/(inferences/[^/]+$|inference/get-inference-job)"
)
"""Where upstreams are asked about tasks, by path and method below; a token that is fetched for that belongs to it."""


SUBMITS = re.compile(r"/mhapi/v1/imgenstd/imgen$|/task_submit$|/start$|/run$|/chat(/|-)completions|/imgen_chat")
"""Where upstreams take work that is paid for."""


@dataclass(frozen=True)
class BadAnswer:
    """What the gateway says in the upstream's place."""

    name: str
    status: int
    body: bytes = b""
    media_type: bytes = b"text/html"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class BadGateway:
    """ASGI middleware that does what its ``GatewayState`` says."""

    def __init__(self, app: ASGIApp, *, holder: GatewayState) -> None:
        self._app, self._holder = app, holder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # open for as long as somebody listens: time passes meanwhile
            await self._app(scope, receive, send)
            return
        with self._holder.clock.hold():
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_meant = self._holder.pattern.search(scope["path"]) is not None
        if is_meant and not self._holder.gate.is_set():
            self._holder.is_holding.set()
            self._holder.clock.busy_count -= 1  # time passes while it is held
            await self._holder.gate.wait()
            self._holder.clock.busy_count += 1
        answer = self._holder.answer if is_meant else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        self._holder.bad_count += 1
        headers: list[Any] = [
            (b"content-type", answer.media_type),
            (b"content-length", str(len(answer.body)).encode()),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


@dataclass
class GatewayState:
    """What the gateway does, for the test to change."""

    clock: SteppedClock
    answer: BadAnswer | None = None
    pattern: re.Pattern[str] = LOOKS
    """Which requests are meant."""
    bad_count: int = 0
    """Requests that were answered badly."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is closed they are held."""
    is_holding: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first one is."""

    def __post_init__(self) -> None:
        self.gate.set()
