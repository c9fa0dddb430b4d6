"""A balancer without a process of its own: every request of a client goes to the next server."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Sequence


class RoundRobinTransport(httpx2.AsyncBaseTransport):
    """Sends each request to the next of some servers, and counts those that went to each."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """``addresses`` are those of servers, such as ``http://127.0.0.1:8765``."""
        self.counts: dict[str, int] = dict.fromkeys(addresses, 0)
        self._next = cycle([httpx2.URL(address) for address in addresses])
        self._inner = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer of whichever server's turn it is."""
        server = next(self._next)
        request.url = request.url.copy_with(host=server.host, port=server.port)
        request.headers["host"] = f"{server.host}:{server.port}"
        self.counts[str(server).rstrip("/")] += 1
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
