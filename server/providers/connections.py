"""The connections of one upstream account: to its own host, and along links that it names elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import get_host_and_port, get_origin, join_host_and_port, list_own_names
from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.host_addresses import is_private_literal
from atelier_mcp.server.images.network_route import create_ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpx2


class UpstreamConnections:
    """Two clients, each made on first need: what goes to the account's host, and what goes elsewhere."""

    def __init__(
        self,
        base_url: str,
        *,
        further_urls: Iterable[str] = (),
        is_local: bool,
        transport: httpx2.AsyncBaseTransport | None,
    ) -> None:
        """``further_urls`` are of the account's own, too, each at a host of its own perhaps.

        ``is_local`` is set for an upstream on this machine, which no proxy is for; ``transport`` is the network.
        """
        self.host: str = get_host_and_port(base_url)
        self.origin: str = get_origin(base_url)
        self._base_url = base_url
        self._is_local = is_local
        self._transport = transport
        hosts = {self.host, *map(get_host_and_port, further_urls)}
        self._own_hosts = frozenset(name for host in hosts for name in (list_own_names(host) if is_local else (host,)))
        self._own_client: httpx2.AsyncClient | None = None
        self._link_client: httpx2.AsyncClient | None = None

    def locate(self, path: str) -> httpx2.URL:
        """The address of a path below the base address, or of a link.

        Raises ``ImageRefused`` for a link that is none, or that names a private address outright.
        """
        import httpx2

        if path.startswith("/"):
            return httpx2.URL(self._base_url + path)
        try:
            url = httpx2.URL(path)
        except httpx2.InvalidURL as err:
            raise ImageRefused("The link is not a valid URL.") from err
        if url.scheme not in ("http", "https") or not url.host:
            raise ImageRefused("The link is not an http or https link.")
        if not self._is_own(url) and is_private_literal(url.host):
            raise ImageRefused("The link leads into a private or local network.")
        return url

    def choose(self, url: httpx2.URL) -> httpx2.AsyncClient:
        """The client for an address. That for links raises ``ImageRefused`` for one that no stranger may have read."""
        # Parsed once: what is compared here is what is connected to.
        return self._get_own_client() if self._is_own(url) else self._get_link_client()

    async def close(self) -> None:
        """Give up the connections."""
        for client in (self._own_client, self._link_client):
            if client is not None:
                await client.aclose()
        self._own_client = self._link_client = None

    def _is_own(self, url: httpx2.URL) -> bool:
        return join_host_and_port(url.scheme, url.host, url.port) in self._own_hosts

    def _get_own_client(self) -> httpx2.AsyncClient:
        if self._own_client is None:
            self._own_client = self._create_client(self._transport, self._create_ssl_context())
        return self._own_client

    def _get_link_client(self) -> httpx2.AsyncClient:
        if self._link_client is None:
            self._link_client = self._create_client(self._transport or self._create_link_transport(), verify=True)
        return self._link_client

    def _create_link_transport(self) -> httpx2.AsyncBaseTransport:
        from atelier_mcp.server.images.guarded_pools import GuardedPools, Route
        from atelier_mcp.server.providers.link_transport import LinkTransport

        return LinkTransport(GuardedPools(), Route(self._own_hosts, is_own_result=not self._is_local))

    def _create_client(
        self, transport: httpx2.AsyncBaseTransport | None, verify: ssl.SSLContext | bool
    ) -> httpx2.AsyncClient:
        import httpx2

        # its INFO lines hold whole links, signatures included
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        return httpx2.AsyncClient(
            transport=transport,
            verify=verify,
            follow_redirects=False,
            trust_env=not self._is_local,
            # Well under the five seconds after which many servers close an idle connection: a submit that leaves
            # on one that is just being closed breaks, and nobody knows whether it arrived.
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=10, keepalive_expiry=2),
        )

    def _create_ssl_context(self) -> ssl.SSLContext | bool:
        """As the environment has it, unless the service is on this machine; refused in words where that fails."""
        # With a transport of its own nothing is encrypted here, and loading certificates takes time in every test.
        return True if self._transport is not None else create_ssl_context(trust_environment=not self._is_local)
