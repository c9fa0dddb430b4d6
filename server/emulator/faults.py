"""Faults injected on request: the next requests that match get a fault, each fault so many times.

Faults of the wire are done here, around the application; faults of the work are handed inward as a verdict that the
next accepted task keeps.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from atelier_mcp.server.emulator.task_store import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE_CONNECTION: Final = "atelier.hang_up"
"""The ASGI extension through which a fault closes the connection; our own servers offer it."""
VERDICT: Final = "verdict"
GATEWAY_PAGE: Final = b"<html><head><title>Gateway</title></head><body>The server did not answer.</body></html>"

FaultKind: TypeAlias = Literal[
    "status", "slow", "cut", "broken", "lost", "gateway", "refused", "failed", "sensitive", "partial"
]
FAULT_KINDS: Final = get_args(FaultKind)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One thing to go wrong.

    ======== ===============================================================================================
    status   answer ``status`` without doing anything, with Retry-After when ``retry_after_s`` is given and the JSON
             ``body``, which otherwise is what the upstream says with that status
    slow     do it, and answer ``delay_s`` late
    cut      do it, and close the connection in the middle of the answer's body, or ``inside_character``
    broken   do it, and answer half of the JSON
    lost     do it, and close the connection instead of answering
    gateway  do it, and answer ``status`` with a web page, as a proxy does that has waited long enough
    refused  close the connection without doing anything
    failed   the task that is accepted will fail with ``reason``
    sensitive  its pictures will be judged sensitive (or carry ``reason`` as their error code)
    partial  the same for the pictures of ``indexes`` only
    ======== ===============================================================================================
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    """A shell pattern for the path as the upstream sees it (``/v1/imgenstd/*``) or with its mount in front."""
    times: int = 1
    status: int = 500
    retry_after_s: float | None = None
    body: Any = None
    delay_s: float = 1.0
    reason: str = ""
    indexes: tuple[int, ...] = (0,)
    inside_character: bool = False
    """Cut between the bytes of one character, from the middle of the body on the first that has several."""

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        # The path without its first part, as the upstream's own documentation has it.
        mounted = f"/{path.lstrip('/').partition('/')[2]}"
        return fnmatch.fnmatchcase(method, self.method) and (
            fnmatch.fnmatchcase(path, self.path) or fnmatch.fnmatchcase(mounted, self.path)
        )

    def to_verdict(self) -> Verdict | None:
        """What it decides about a task; None for a fault of the wire."""
        match self.kind:
            case "failed":
                return Verdict(failed=self.reason or "InternalError")
            case "sensitive":
                return Verdict(code=self.reason or "Sensitive")
            case "partial":
                return Verdict(code=self.reason or "Sensitive", images=self.indexes)
            case _:
                return None


class FaultQueue:
    """The faults that are still to happen, in the order they were given."""

    def __init__(self) -> None:
        """Nothing goes wrong."""
        self._faults: list[InjectedFault] = []

    def add(self, fault: InjectedFault) -> None:
        """Let something go wrong."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._faults.clear()

    def list_pending(self) -> tuple[InjectedFault, ...]:
        """What has not happened yet."""
        return tuple(self._faults)

    def take(self, method: str, path: str) -> InjectedFault | None:
        """The first fault for this request, used up by one."""
        for index, fault in enumerate(self._faults):
            if fault.matches(method, path):
                self._faults[index : index + 1] = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                return fault
        return None


class FaultMiddleware:
    """ASGI middleware that lets the faults happen."""

    def __init__(self, app: ASGIApp, *, queue: FaultQueue, error_body: Callable[[str, int], Any]) -> None:
        """Guard ``app``; ``error_body(path, status)`` is what the upstream would say with a status."""
        self._app, self._queue, self._error_body = app, queue, error_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, well or badly."""
        is_exempt = scope["type"] != "http" or scope["path"].startswith("/_control")
        fault = None if is_exempt else self._queue.take(scope["method"], scope["path"])
        if fault is None:
            return await self._app(scope, receive, send)
        # Faults of the work need the call to be accepted: the task keeps the verdict.
        if (verdict := fault.to_verdict()) is not None:
            scope.setdefault("state", {})[VERDICT] = verdict
            return await self._app(scope, receive, send)
        if fault.kind == "refused":
            return await _close_connection(scope, receive)
        if fault.kind == "status":
            body = self._error_body(scope["path"], fault.status) if fault.body is None else fault.body
            return await _send_status(send, fault, body)
        # The work is done before the answer is spoilt; that is what makes a lost answer dangerous.
        response = _BufferedResponse()
        await self._app(scope, receive, response.collect)
        return await _send_spoiled(fault, response, scope, receive, send)


def get_verdict(request: Request) -> Verdict | None:
    """What a fault has decided about the task this request submits."""
    return getattr(request.state, VERDICT, None)


class _BufferedResponse:
    """An answer held back."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def collect(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


async def _send_spoiled(
    fault: InjectedFault, response: _BufferedResponse, scope: Scope, receive: Receive, send: Send
) -> None:
    half = response.body[: _find_middle(response.body, inside_character=fault.inside_character)]
    match fault.kind:
        case "slow":
            await asyncio.sleep(fault.delay_s)
            await _send_response(send, response.start, response.body)
        case "broken":
            headers = [(name, value) for name, value in response.start["headers"] if name != b"content-length"]
            headers.append((b"content-length", str(len(half)).encode()))
            await _send_response(send, {**response.start, "headers": headers}, half)
        case "cut":
            await send(response.start)
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await _close_connection(scope, receive)
        case "gateway":
            headers = [(b"content-type", b"text/html"), (b"content-length", str(len(GATEWAY_PAGE)).encode())]
            start = {"type": "http.response.start", "status": fault.status, "headers": headers}
            await _send_response(send, start, GATEWAY_PAGE)
        case _:
            await _close_connection(scope, receive)


def _find_middle(body: bytes, *, inside_character: bool) -> int:
    """Where a body is cut; in UTF-8 only a byte that does not begin a character has 10 as its highest bits."""
    middle = len(body) // 2
    if not inside_character:
        return middle
    return next((index for index in range(middle, len(body)) if body[index] & 0xC0 == 0x80), middle)


async def _send_response(send: Send, start: Message, body: bytes) -> None:
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def _close_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until it is closed; without a connection of ours, fail as one does."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    close = extensions.get(CLOSE_CONNECTION)
    if close is None:
        raise ConnectionResetError("the emulator lost the connection on order")
    close()
    # Returning earlier would let the server finish the answer properly.
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_status(send: Send, fault: InjectedFault, document: Any) -> None:
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", f"{fault.retry_after_s:g}".encode()))
    await _send_response(send, {"type": "http.response.start", "status": fault.status, "headers": headers}, body)


def parse_fault(document: Mapping[str, Any]) -> InjectedFault:
    """The fault a JSON document describes; raises ValueError."""
    unknown = sorted(set(document) - set(InjectedFault.__slots__))
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(InjectedFault.__slots__)}")
    if document.get("kind") not in FAULT_KINDS:
        raise ValueError(f"kind is one of {', '.join(FAULT_KINDS)}")
    fault = InjectedFault(**document)
    return replace(fault, indexes=tuple(fault.indexes))
