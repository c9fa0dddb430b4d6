"""Connections without end, and requests that never do: whoever sends whole requests is served all the same."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from atelier_mcp.server import http_connections
from atelier_mcp.server.http_connections import create_connection_class
from atelier_mcp.server.logs import RepetitionFilter
from tests.support.clock import AutoAdvanceClock
from tests.support.emulator_harness import BOUND_S
from tests.support.http_process import HEADERS, HELLO, serve_in_process

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from tests.support.attack_tally import AttackTally

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptor limits of POSIX")

DESCRIPTORS = 256
HALF_SENT = {
    "nothing": b"",
    "a letter": b"P",
    "half a header": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
    "half a body": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n{",
    "a chunk": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
}  # fmt: skip


def open_half_sent(address: str, sent: bytes) -> socket.socket:
    """A connection that has sent this, and no more."""
    host, _, port = address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize("kind", list(HALF_SENT))
def test_whole_requests_are_answered_while_half_sent_ones_fill_the_server(
    kind: str, tmp_path: Path, tally: AttackTally, rounds: Callable[[int, int], int]
) -> None:
    """More connections than it has descriptors, and the valid client comes last."""
    with serve_in_process(tmp_path, descriptors=DESCRIPTORS) as (address, _), ExitStack() as stack:
        for _ in range(320):
            stack.enter_context(open_half_sent(address, HALF_SENT[kind]))
        slowest_s = 0.0
        for number in range(rounds(10, 200)):
            began_s = time.monotonic()
            status = ask(address)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            tally.record(f"request {number}: {status}", got_through=status != 200)
            stack.enter_context(open_half_sent(address, HALF_SENT[kind]))
        size = (tmp_path / "server.log").stat().st_size
        tally.record(f"{size} bytes of log", got_through=size > 20_000)
        tally.figures |= {"slowest answer": f"{slowest_s:.2f} s", "log": f"{size} bytes"}


def ask(address: str) -> Any:
    """The status of one good request over a connection of its own; the error where there is no answer."""
    try:
        return httpx2.post(f"{address}/mcp", json=HELLO, headers=HEADERS, timeout=20, trust_env=False).status_code
    except httpx2.HTTPError as err:
        return repr(err)


async def test_a_request_has_a_time_to_arrive_in(monkeypatch: pytest.MonkeyPatch, tally: AttackTally) -> None:
    """Also one that goes on arriving, byte after byte."""
    monkeypatch.setattr(http_connections, "HEADER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(http_connections, "BODY_TIMEOUT_S", 0.05)
    app = Starlette(routes=[Route("/mcp", read_body, methods=["POST"])])
    async with run_site(app) as port:
        for kind, sent in HALF_SENT.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(BOUND_S):
                while not reader.at_eof():
                    with suppress(ConnectionError, TimeoutError):
                        writer.write(b"a")
                        await asyncio.wait_for(reader.read(1000), 0.01)
            writer.close()
            tally.record(kind, got_through=not reader.at_eof())


WHOLE = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"


async def test_a_second_request_has_a_time_to_arrive_in_as_well(
    monkeypatch: pytest.MonkeyPatch, tally: AttackTally
) -> None:
    """It begins with its first byte: until then the connection is idle, which a balancer's mostly are."""
    monkeypatch.setattr(http_connections, "HEADER_TIMEOUT_S", 0.05)
    monkeypatch.setattr(http_connections, "BODY_TIMEOUT_S", 0.05)
    app = Starlette(routes=[Route("/mcp", read_body, methods=["POST"])])
    async with run_site(app) as port, asyncio.timeout(BOUND_S):
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        await ask_whole(idle_reader, idle_writer)
        for kind, sent in HALF_SENT.items():
            if not sent:
                continue
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask_whole(reader, writer)
            writer.write(sent)
            answer = b""
            with suppress(ConnectionError):
                answer = await reader.read(1000)  # ends when the connection is cut off
            writer.close()
            tally.record(kind, got_through=bool(answer))
        await ask_whole(idle_reader, idle_writer)
        idle_writer.close()


async def ask_whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One whole request, and its answer."""
    writer.write(WHOLE)
    header = await reader.readuntil(b"\r\n\r\n")
    assert header.startswith(b"HTTP/1.1 200")
    await reader.readexactly(5)


async def read_body(request: Request) -> Response:
    """An answer once all of the request is there."""
    with suppress(ClientDisconnect):
        await request.body()
    return PlainTextResponse("whole")


@asynccontextmanager
async def run_site(app: Starlette) -> AsyncGenerator[int]:
    """An application behind our connections; its port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        app, http=create_connection_class(), log_config=None, lifespan="off", ws="none", timeout_keep_alive=60
    )
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]), name="http")
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True


def test_the_same_line_is_logged_once_in_a_while() -> None:
    """A disk that is full of warnings is an outage of its own."""
    clock = AutoAdvanceClock()
    lines = RepetitionFilter(pause_s=10, read_clock=clock.monotonic)

    def passes(message: str) -> bool:
        return lines.filter(logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, None, None))

    assert [passes("Invalid HTTP request received.") for _ in range(1000)].count(True) == 1
    assert passes("something else")
    clock.advance(10)
    assert passes("Invalid HTTP request received.")
