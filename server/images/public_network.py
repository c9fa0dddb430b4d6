"""A network that has only public addresses in it, for the connection pool of the downloader.

The check and the connection use one and the same lookup. A name that is checked first and looked up again by the
connection can change in between (DNS rebinding) and lead into the private network after all.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import httpcore2

from atelier_mcp.server.errors import ImageRefused, ProviderUnavailable
from atelier_mcp.server.images.host_addresses import filter_public_addresses
from atelier_mcp.server.images.network_route import build_unproxied_hint, is_fake_address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network

    from atelier_mcp.server.images.host_addresses import Resolver

HTTPS_PORT = 443
_MAX_ADDRESSES = 3
"""Each one may take a whole connect timeout; a name can have hundreds."""


class PublicNetwork(httpcore2.AsyncNetworkBackend):
    """Looks a name up once, refuses it unless it is public, and connects to the address it has looked at."""

    def __init__(
        self,
        resolver: Resolver,
        backend: httpcore2.AsyncNetworkBackend | None,
        *,
        also_allowed: IPv4Network | None = None,
    ) -> None:
        """``backend`` opens the connections, by address only; ``also_allowed`` counts as public as well."""
        self._also_allowed = also_allowed
        self._resolver = resolver
        self._backend = backend or cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to one of the public addresses of ``host``. Raises ``ImageRefused`` when it has none."""
        failure: Exception = httpcore2.ConnectError("no address")
        for address in (await self._resolve_public(host, port))[:_MAX_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as err:
                failure = err
        raise failure

    async def _resolve_public(self, host: str, port: int) -> list[str]:
        url = f"{'https' if port == HTTPS_PORT else 'http'}://{host}"  # as proxies are chosen by
        try:
            resolved = list(await self._resolver(host, port))
        except (socket.gaierror, UnicodeError) as err:
            if isinstance(err, OSError) and err.errno == socket.EAI_AGAIN:  # the name server, not the name, is at fault
                hint = build_unproxied_hint(url, "Try again later.")
                raise ProviderUnavailable(f"The host {host} cannot be looked up now.", hint=hint) from err
            hint = build_unproxied_hint(url, "Check the link.")
            raise ImageRefused(f"The host {host} is not known.", hint=hint) from err
        # By the exception only where nothing public is left: a real address goes before a made-up one.
        addresses = filter_public_addresses(resolved) or self._filter_also_allowed(resolved)
        if not addresses and any(map(is_fake_address, resolved)):
            raise ImageRefused(
                f"The host {host} has no address here but one that a proxy tool gives to every name, so nobody can see "
                "whether it is a public one.",
                hint="Fetch the picture yourself and give its path or a data URL.",
            )
        if not addresses:
            raise ImageRefused(
                f"The host {host} lies in a private or local network, from which no pictures are read.",
                hint="Give a public link, a local path or a data URL.",
            )
        return addresses

    def _filter_also_allowed(self, addresses: Iterable[str]) -> list[str]:
        allowed = self._also_allowed
        return [] if allowed is None else [address for address in addresses if ip_address(address) in allowed]
