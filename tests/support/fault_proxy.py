"""A proxy on loopback in front of the emulator that spoils the requests it is told to, on real sockets.

Every request has a connection of its own, so that what happens to one connection happens to one request. Connections
that are refused, and answers that nobody waits for so long in a test, are made below the HTTP clients: a request is led
to a port where nothing listens, or its time is over at once.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import urlsplit

import httpcore2

from atelier_mcp.server.emulator.faults import InjectedFault
from tests.faults.kinds import ARRIVES, Fault

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncGenerator

    import pytest

    from tests.support.emulator_harness import EmulatorHarness
    from tests.support.stepped_clock import SteppedClock

PAGE: Final = b"<html><head><title>Gateway</title></head><body>The server did not answer.</body></html>"
FAULT_HEADER: Final = "x-fault"
"""How the clients tell the proxy what is to go wrong; the service does not see it."""
RETRY_AFTER_S: Final = 5.0
STATUSES: Final[dict[Fault | None, int]] = {
    Fault.TOO_FAST: 429,
    Fault.TOO_FAST_WAIT: 429,
    Fault.CRASH: 500,
    Fault.OVERLOADED: 503,
}
"""Said in the service's own words."""
GATEWAY_STATUSES: Final[dict[Fault | None, int]] = {
    Fault.BAD_GATEWAY: 502,
    Fault.GATEWAY_TIMEOUT: 504,
    Fault.WEB_PAGE: 200,
}
"""Said by a gateway on the way, with a page."""


@dataclass
class FaultPlan:
    """Which requests are spoilt, and how often."""

    fault: Fault
    pattern: re.Pattern[str]
    """Of ``METHOD /path?query``."""
    times: int | None = None
    """None: all of them."""
    met_count: int = 0
    """Requests that were."""

    def take(self, request_line: str) -> Fault | None:
        """The fault for this request."""
        if not self.pattern.search(request_line) or (self.times is not None and self.met_count >= self.times):
            return None
        self.met_count += 1
        return self.fault


@dataclass
class _HttpMessage:
    """A request or an answer, read to its end."""

    first_line: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def request_line(self) -> str:
        return self.first_line.rpartition(" ")[0]

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def pop(self, name: str) -> str:
        """A header's value, which is taken out; empty where there is none."""
        value = self.get(name)
        self.headers = [(key, other) for key, other in self.headers if key.lower() != name]
        return value

    def encode(self, *, announced_bytes: int | None = None) -> bytes:
        """With a connection that ends after it; ``announced_bytes`` stands in the place of the true length."""
        left_out = ("connection", "transfer-encoding", "content-length")
        lines = [f"{key}: {value}" for key, value in self.headers if key.lower() not in left_out]
        length = len(self.body) if announced_bytes is None else announced_bytes
        head = "\r\n".join([self.first_line, *lines, "Connection: close", f"Content-Length: {length}"])
        return f"{head}\r\n\r\n".encode("latin-1") + self.body


@dataclass
class FaultProxy:
    """In front of ``site``; use it with ``async with``, and set ``plan``."""

    site: EmulatorHarness
    clock: SteppedClock
    plan: FaultPlan | None = None
    base_url: str = ""
    arrivals: list[str] = field(default_factory=list[str])
    """The requests that the service got, each as ``METHOD /path?query``."""
    sent: list[str] = field(default_factory=list[str])
    """Those that were sent, also where they did not arrive."""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        server = await self._stack.enter_async_context(await asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def patch_clients(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the HTTP clients of this process meet what no proxy can do to one request alone."""
        send, closed_port = httpcore2.AsyncConnectionPool.handle_async_request, _find_closed_port()

        async def send_or_fail(pool: Any, request: httpcore2.Request) -> httpcore2.Response:
            if request.url.port != urlsplit(self.base_url).port:
                return await send(pool, request)
            line = f"{request.method.decode()} {request.url.target.decode()}"
            self.sent.append(line)
            # Decided here alone, and told to the proxy: the plan may be another one when the request is there.
            match self.plan.take(line) if self.plan is not None else None:
                case Fault.REFUSED:
                    request.url.port = closed_port
                case Fault.CONNECT_TIMEOUT:
                    raise httpcore2.ConnectTimeout
                case Fault.READ_TIMEOUT:
                    response = await send(pool, request)
                    await response.aread()
                    await response.aclose()
                    raise httpcore2.ReadTimeout
                case None:
                    pass
                case fault:
                    request.headers.append((FAULT_HEADER.encode(), fault.encode()))
            return await send(pool, request)

        monkeypatch.setattr(httpcore2.AsyncConnectionPool, "handle_async_request", send_or_fail)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is one request."""
        try:
            request = await _read_message(reader)
            if request.get("upgrade"):
                await self._pass_on_socket(request, reader, writer)
                return
            with self.clock.hold():
                await self._answer(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    async def _answer(self, request: _HttpMessage, writer: asyncio.StreamWriter) -> None:
        fault = Fault(name) if (name := request.pop(FAULT_HEADER)) else None
        answer = await self._ask_for_error(request, fault) if fault in STATUSES else None
        if fault is None or fault in ARRIVES:
            self.arrivals.append(request.request_line)
            good_answer = await self._pass_on(request)
            answer = answer or good_answer
        if answer is None or fault is Fault.RESET_AFTER:
            _reset(writer)
            return
        writer.write(_spoil(answer, fault))
        await writer.drain()

    async def _ask_for_error(self, request: _HttpMessage, fault: Fault | None) -> _HttpMessage:
        """How the service says this status; it does nothing then."""
        wait_s = RETRY_AFTER_S if fault is Fault.TOO_FAST_WAIT else None
        self.site.emulator.state.faults.add(InjectedFault("status", status=STATUSES[fault], retry_after_s=wait_s))
        return await self._pass_on(request)

    async def _pass_on(self, request: _HttpMessage) -> _HttpMessage:
        async with self._connect() as (reader, writer):
            writer.write(request.encode())
            return await _read_message(reader)

    async def _pass_on_socket(
        self, request: _HttpMessage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """A WebSocket: whatever either side says goes to the other."""
        async with self._connect() as (far_reader, far_writer):
            lines = [request.first_line, *(f"{key}: {value}" for key, value in request.headers)]
            far_writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
            copies = [asyncio.create_task(_copy(reader, far_writer)), asyncio.create_task(_copy(far_reader, writer))]
            try:
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for copy in copies:
                    copy.cancel()

    @asynccontextmanager
    async def _connect(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        parts = urlsplit(self.site.emulator.base_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            yield reader, writer
        finally:
            writer.close()


def _find_closed_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def _read_message(reader: asyncio.StreamReader) -> _HttpMessage:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first_line, *lines = head.rstrip("\r\n").split("\r\n")
    message = _HttpMessage(first_line, [cast("tuple[str, str]", tuple(line.split(": ", 1))) for line in lines])
    if message.get("transfer-encoding"):
        message.body = await _read_chunks(reader)
    elif length := message.get("content-length"):
        message.body = await reader.readexactly(int(length))
    return message


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: with no time to linger, what was not read is thrown away on both sides."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _spoil(answer: _HttpMessage, fault: Fault | None) -> bytes:
    """What goes over the wire in the place of an answer, which without a fault is the answer."""
    half = answer.body[: len(answer.body) // 2]
    if status := GATEWAY_STATUSES.get(fault):
        return _HttpMessage(f"HTTP/1.1 {status} X", [("Content-Type", "text/html")], PAGE).encode()
    match fault:
        case Fault.CUT_BODY:
            whole_bytes = max(len(answer.body), 1)
            return _HttpMessage(answer.first_line, answer.headers, half).encode(announced_bytes=whole_bytes)
        case Fault.BROKEN_JSON:
            return _HttpMessage(answer.first_line, answer.headers, half).encode()
        case Fault.EMPTY_BODY:
            return _HttpMessage(answer.first_line, answer.headers).encode()
        case Fault.WRONG_TYPES:
            return _HttpMessage(answer.first_line, answer.headers, _change_types(answer.body)).encode()
        case _:
            return answer.encode()


def _change_types(body: bytes) -> bytes:
    """The same document, or stream of events, with each value of another type; of a picture, a document."""
    if not body.lstrip().startswith((b"{", b"[", b"data:", b"event:", b'"')):
        return b'{"picture": ["none"]}'
    if body.lstrip().startswith((b"{", b"[", b'"')):
        return json.dumps(_change_type(json.loads(body))).encode()
    lines = [
        f"data: {json.dumps(_change_type(json.loads(line.removeprefix('data:'))))}" if "{" in line else line
        for line in body.decode().split("\n")
    ]
    return "\n".join(lines).encode()


def _change_type(value: Any) -> Any:
    match value:
        case dict():
            return {key: _change_type(item) for key, item in cast("dict[str, Any]", value).items()}
        case [_, *_]:
            return [_change_type(item) for item in cast("list[Any]", value)]
        case str():
            return [value]
        case []:
            return "none"
        case _:
            return {"value": value}
