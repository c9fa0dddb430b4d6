"""Web servers that answer exactly what a test tells them to, and an internet that leads to them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import httpcore2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator


def build_response(body: bytes, *, status: str = "200 OK", length: int | None = None) -> list[bytes]:
    """An HTTP answer; ``length`` is what it claims to be its length."""
    claimed_length = len(body) if length is None else length
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: image/png\r\ncontent-length: {claimed_length}\r\nconnection: close\r\n\r\n"
    )
    return [head.encode() + body]


def build_redirect(location: str) -> list[bytes]:
    """A redirect to ``location``."""
    head = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    return [head.encode()]


def stream_response(*, chunk_count: int, chunk: bytes = bytes(65_536)) -> Iterator[bytes]:
    """An answer of unknown length, ``chunk_count`` times 64 KB."""
    yield b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"
    for _ in range(chunk_count):
        yield chunk


class Site:
    """A web server on loopback. Each path has a queue of answers, of which the last one stays."""

    def __init__(self) -> None:
        self.host = ""
        self.requests: list[str] = []
        self.host_headers: list[str] = []
        self.sent_bytes = 0
        self._responses: dict[str, list[Iterable[bytes]]] = {}

    def serve(self, path: str, *responses: Iterable[bytes]) -> str:
        """Answer a path, and return its link."""
        self._responses[path.partition("?")[0]] = list(responses)
        return f"http://{self.host}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        try:
            await self._respond(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        target = lines[0].split()[1]
        self.requests.append(target)
        self.host_headers += [line[6:] for line in lines if line.lower().startswith("host: ")]
        responses = self._responses.get(target.partition("?")[0], [build_response(b"", status="404 Not Found")])
        for chunk in responses.pop(0) if len(responses) > 1 else responses[0]:
            writer.write(chunk)
            self.sent_bytes += len(chunk)
            await writer.drain()


@asynccontextmanager
async def open_site(host: str = "127.0.0.1") -> AsyncGenerator[Site]:
    """A site on a free port."""
    site = Site()
    server = await asyncio.start_server(site.handle, host, 0)
    port = server.sockets[0].getsockname()[1]
    site.host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        yield site
    finally:
        server.close()
        await server.wait_closed()


class FakeInternet(httpcore2.AsyncNetworkBackend):
    """A network in which public addresses exist: each leads to a site on this machine."""

    def __init__(self, sites: dict[str, Site]) -> None:
        self.sites = sites
        self.connected: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the site at an address, or on this machine; any other address cannot be reached."""
        self.connected.append(host)
        if host not in self.sites and host != "127.0.0.1":
            raise httpcore2.ConnectError("unreachable")
        real_host, _, real_port = self.sites[host].host.rpartition(":") if host in self.sites else (host, "", port)
        backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
        return await backend.connect_tcp(real_host.strip("[]"), int(real_port), timeout)
