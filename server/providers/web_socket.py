"""Texts that a service sends over a WebSocket: read by the same route as every other request, nothing is ever said.

The upgrade is an ordinary GET (RFC 6455), so that proxies, certificates and keys are those of the account's client.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from atelier_mcp.server.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx2

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest

MAX_FRAME_BYTES: Final = 32_000_000
"""A preview may be a picture; it is read past."""
SWITCHING_PROTOCOLS: Final = 101
_ACCEPT_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_READ_BYTES: Final = 65_536
_CONTINUED, _TEXT, _CLOSE, _PING, _PONG = 0, 1, 8, 9, 10


async def iterate_texts(client: UpstreamClient, http_request: HttpRequest) -> AsyncGenerator[str]:
    """The text messages of the socket at a path, until the service closes it.

    ``http_request.read_timeout_s`` is the longest silence. Raises an ``AtelierError`` where no socket is opened, and
    ``ProviderUnavailable`` for one that breaks.
    """
    key = base64.b64encode(secrets.token_bytes(16))
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key.decode(),
        "Sec-WebSocket-Version": "13",
    }
    headers = {**(http_request.headers or {}), **upgrade}
    async with client.stream(replace(http_request, headers=headers)) as response:
        _check_upgrade(response, key, service=client.service)
        frames = _FrameReader(response.extensions["network_stream"], http_request.read_timeout_s)
        try:
            async for text in _iterate_messages(frames):
                yield text
        except (EOFError, *_list_network_errors()) as err:
            raise ProviderUnavailable(f"{client.service} broke the connection.") from err


async def _iterate_messages(frames: _FrameReader) -> AsyncGenerator[str]:
    parts: list[bytes] = []
    is_text = False
    while (frame := await frames.read()).opcode != _CLOSE:
        if frame.opcode == _PING:
            await frames.send(_PONG, frame.payload)
        elif frame.opcode != _PONG:
            is_text = is_text if frame.opcode == _CONTINUED else frame.opcode == _TEXT
            # What is no text is not kept.
            parts += [frame.payload] if is_text else []
            if frame.is_last:
                if is_text:
                    yield b"".join(parts).decode(errors="replace")
                parts.clear()


class _Frame(NamedTuple):
    is_last: bool
    opcode: int
    payload: bytes


class _FrameReader:
    """Frames out of the bytes of a connection."""

    def __init__(self, stream: Any, timeout_s: float) -> None:
        """``stream`` is httpcore2's, after the upgrade."""
        self._stream = stream
        self._timeout_s = timeout_s
        self._buffer = b""

    async def read(self) -> _Frame:
        """The next one. Raises ``EOFError`` where there is none, or one too large."""
        first, second = await self._read_bytes(2)
        length = second & 0x7F
        if length > 125:  # 126 and 127 say that two or eight bytes of length follow
            length = int.from_bytes(await self._read_bytes(2 if length == 126 else 8))
        if length > MAX_FRAME_BYTES:
            raise EOFError
        return _Frame(bool(first & 0x80), first & 0x0F, await self._read_bytes(length))

    async def send(self, opcode: int, payload: bytes) -> None:
        """A short frame of ours, masked as a client's must be."""
        mask = secrets.token_bytes(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        await self._stream.write(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked, self._timeout_s)

    async def _read_bytes(self, count: int) -> bytes:
        parts = [self._buffer]
        missing = count - len(self._buffer)
        while missing > 0:
            part = await self._stream.read(_READ_BYTES, self._timeout_s)
            if not part:
                raise EOFError
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
        self._buffer = data[count:]
        return data[:count]


def _check_upgrade(response: httpx2.Response, key: bytes, *, service: str) -> None:
    digest = hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest()
    accepted = response.headers.get("Sec-WebSocket-Accept", "").encode()
    if response.status_code != SWITCHING_PROTOCOLS or accepted != base64.b64encode(digest):
        raise ProviderUnavailable(f"{service} opens no socket.")


def _list_network_errors() -> tuple[type[Exception], ...]:
    import httpcore2

    return (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError)
