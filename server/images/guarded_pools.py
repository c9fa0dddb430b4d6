"""Connections for links that others name: to the public internet alone, but for hosts that are allowed by name.

A link must not find a connection that was made for another: what may be reached through one, and how, is its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from atelier_mcp.server.addresses import join_host_and_port
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.images.host_addresses import resolve_host
from atelier_mcp.server.images.network_route import (
    FAKE_NETWORK,
    check_proxied_host,
    create_ssl_context,
    find_proxy,
    is_fake_resolver,
)

if TYPE_CHECKING:
    import ssl

    from httpcore2 import AsyncConnectionPool, AsyncNetworkBackend
    from httpx2 import URL

    from atelier_mcp.server.images.host_addresses import Resolver


@dataclass(frozen=True, slots=True)
class Route:
    """How a link may be followed."""

    allow_hosts: frozenset[str]
    """Each as ``addresses.join_host_and_port`` writes it: they may have any address."""
    is_own_result: bool
    """Whether a service named the link: it may take the environment's proxies (see ``network_route``)."""


class GuardedPools:
    """Connection pools, each made on first need."""

    def __init__(self, *, resolver: Resolver = resolve_host, network: AsyncNetworkBackend | None = None) -> None:
        """``network`` opens the connections, by address only."""
        self._resolver = resolver
        self._network = network
        self._pools: dict[tuple[str, ...], AsyncConnectionPool] = {}

    async def choose(self, url: URL, route: Route) -> AsyncConnectionPool:
        """The pool through which a link may be followed.

        Raises ``ImageRefused`` for a host that a proxy may not be asked for; any other that may not be reached is
        refused as the pool connects to it. Raises ``ConfigurationError`` for certificates that cannot be read.
        """
        host = join_host_and_port(url.scheme, url.host, url.port)
        is_allowed = host in route.allow_hosts
        proxy = find_proxy(str(url)) if route.is_own_result else None
        if proxy is not None:
            # The proxy looks the name up once more and connects; all that can be checked is what it means here.
            if not is_allowed:
                await check_proxied_host(url.host, int(host.rpartition(":")[2]), self._resolver)
            return self._get_pool("proxy", url.scheme, proxy)
        if is_allowed:
            return self._get_pool("allowed", url.scheme)
        # Where the service's own name has a made-up address, so have those of its results.
        if route.is_own_result and await is_fake_resolver(route.allow_hosts, self._resolver):
            return self._get_pool("fake", url.scheme)
        return self._get_pool("public", url.scheme)

    async def close(self) -> None:
        """Give up the connections."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    def _get_pool(self, kind: str, scheme: str, proxy: str = "") -> AsyncConnectionPool:
        key = (kind, scheme, proxy)
        if key not in self._pools:
            self._pools[key] = _create_pool(self._build_network(kind), is_secure=scheme == "https", proxy=proxy)
        return self._pools[key]

    def _build_network(self, kind: str) -> AsyncNetworkBackend | None:
        if kind in ("proxy", "allowed"):
            return self._network
        # Imported here: it derives from a class of httpcore2, which is loaded with the first download only.
        from atelier_mcp.server.images.public_network import PublicNetwork

        return PublicNetwork(self._resolver, self._network, also_allowed=FAKE_NETWORK if kind == "fake" else None)


def _create_pool(network: AsyncNetworkBackend | None, *, is_secure: bool, proxy: str) -> AsyncConnectionPool:
    """The pool beneath ``httpx2.AsyncClient``, used bare.

    It lets us open the connections, and unlike the client it logs no links, keeps no cookies and takes a proxy only
    where it is given one.
    """
    import httpcore2

    # Without https the certificates need not be there at all.
    is_proxy_secure = proxy.startswith("https://")
    context = create_ssl_context() if is_secure or is_proxy_secure else None
    if not proxy:
        return httpcore2.AsyncConnectionPool(
            ssl_context=context, max_connections=8, keepalive_expiry=5.0, network_backend=network
        )
    return _create_proxy_pool(proxy, network, context)


def _create_proxy_pool(
    proxy: str, network: AsyncNetworkBackend | None, context: ssl.SSLContext | None
) -> AsyncConnectionPool:
    import httpcore2

    parts = urlsplit(proxy)
    url = httpcore2.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target="/")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    if parts.scheme in ("socks5", "socks5h"):
        return httpcore2.AsyncSOCKSProxy(
            proxy_url=url, proxy_auth=login, ssl_context=context, max_connections=8, network_backend=network
        )
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(f"The environment names a proxy of the kind {parts.scheme}://, which is not known.")
    return httpcore2.AsyncHTTPProxy(
        proxy_url=url,
        proxy_auth=login,
        ssl_context=context,
        proxy_ssl_context=context if parts.scheme == "https" else None,
        max_connections=8,
        keepalive_expiry=5.0,
        network_backend=network,
    )
