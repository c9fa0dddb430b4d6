"""The texts of a socket: fragments, pings, previews and ends as servers and proxies send them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.web_socket import MAX_FRAME_BYTES, iterate_texts
from tests.support.emulator_harness import BOUND_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.clock import AutoAdvanceClock

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE = b"\x88\x00"


def frame(payload: bytes, *, opcode: int = 1, is_last: bool = True) -> bytes:
    """A server's frame, which has no mask."""
    first = bytes([(0x80 if is_last else 0) | opcode])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 65_536:
        return first + b"\x7e" + struct.pack(">H", len(payload)) + payload
    return first + b"\x7f" + struct.pack(">Q", len(payload)) + payload


class SocketServer:
    """Upgrades, sends its bytes, and keeps what it is sent."""

    def __init__(self, sent: bytes, *, refuses: bool = False, wrong_key: bool = False) -> None:
        self.sent = sent
        self.refuses = refuses
        self.wrong_key = wrong_key
        self.request = b""
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in self.request.split(b"\r\n")[1:] if b": " in line)
        key = {name.lower(): value for name, value in headers.items()}[b"sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((b"x" if self.wrong_key else key) + GUID).digest())
        if self.refuses:
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n")
            writer.write(b"sec-websocket-accept: " + accept + b"\r\n\r\n" + self.sent)
        if self.sent.endswith(CLOSE):
            self.received = await reader.read()
        writer.close()


@asynccontextmanager
async def connect(server: SocketServer, clock: AutoAdvanceClock) -> AsyncGenerator[AsyncGenerator[str]]:
    """The texts of a server on loopback."""
    async with asyncio.timeout(BOUND_S), await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        client = UpstreamClient(service="Toy", base_url=f"http://127.0.0.1:{port}", clock=clock, is_local=True)
        try:
            yield iterate_texts(client, HttpRequest("GET", "/ws", query={"clientId": "me"}))
        finally:
            await client.close()


async def test_texts_come_whole_whatever_comes_between(clock: AutoAdvanceClock) -> None:
    long = "ü" * 40_000
    server = SocketServer(
        frame(b"one")
        + frame(b"tw", is_last=False)
        + frame(b"are you there?", opcode=9)
        + frame(b"o", opcode=0)
        + frame(b"\x00\x00\x00\x01a preview", opcode=2)
        + frame(b"y" * 300)
        + frame(long.encode())
        + CLOSE
    )
    async with connect(server, clock) as texts:
        heard = [text async for text in texts]
    assert heard == ["one", "two", "y" * 300, long]
    assert server.request.startswith(b"GET /ws?clientId=me HTTP/1.1")
    assert b"origin" not in server.request.lower()


async def test_a_ping_is_answered_with_its_own_words_behind_a_mask(clock: AutoAdvanceClock) -> None:
    """Servers close the connection of whoever does not answer."""
    server = SocketServer(frame(b"there?", opcode=9) + CLOSE)
    async with connect(server, clock) as texts:
        assert [text async for text in texts] == []
    async with asyncio.timeout(BOUND_S):
        while not server.received:
            await asyncio.sleep(0)
    assert server.received[:2] == bytes([0x8A, 0x80 | 6])
    mask = server.received[2:6]
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(server.received[6:])) == b"there?"


@pytest.mark.parametrize(
    "server",
    [
        SocketServer(b"", refuses=True),
        SocketServer(frame(b"one"), wrong_key=True),
        SocketServer(frame(b"one")),
        SocketServer(frame(b"cut short")[:5]),
        SocketServer(b"\x81\x7f" + struct.pack(">Q", MAX_FRAME_BYTES + 1)),
    ],
    ids=["no socket", "another's key", "no goodbye", "half a frame", "too large"],
)
async def test_what_is_wrong_with_a_socket_is_one_error(clock: AutoAdvanceClock, server: SocketServer) -> None:
    async with connect(server, clock) as texts:
        with pytest.raises(ProviderUnavailable):
            async for _ in texts:
                pass
