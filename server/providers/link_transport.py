"""Requests along links that an upstream names, over the guarded connections of ``images.guarded_pools``.

An upstream that is taken over, or plays false, may name any address: that of a cloud's metadata service, whose answer
it would have shown to the model, or one of its own choosing, where it would have local files sent. So its links go to
the public internet alone. Those to its own host are trusted like its address, and never come here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, cast

import httpx2

if TYPE_CHECKING:
    import httpcore2

    from atelier_mcp.server.images.guarded_pools import GuardedPools, Route


class LinkTransport(httpx2.AsyncHTTPTransport):
    """The usual transport, which makes HTTP requests of httpx2's, over connections that lead into no private network.

    Raises ``ImageRefused`` for a link that would.
    """

    def __init__(self, pools: GuardedPools, route: Route) -> None:
        """Follow links as ``route`` says; ``pools`` are closed with the transport."""
        super().__init__(verify=False)  # its own pool, which takes certificates, is not used
        self._pool = cast("httpcore2.AsyncConnectionPool", _GuardedPool(pools, route))


class _GuardedPool:
    """What the transport needs of a pool."""

    def __init__(self, pools: GuardedPools, route: Route) -> None:
        self._pools = pools
        self._route = route

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        pool = await self._pools.choose(_to_url(request.url), self._route)
        return await pool.handle_async_request(request)

    async def aclose(self) -> None:
        await self._pools.close()


def _to_url(url: httpcore2.URL) -> httpx2.URL:
    return httpx2.URL(scheme=url.scheme.decode(), host=url.host.decode(), port=url.port, raw_path=url.target)
