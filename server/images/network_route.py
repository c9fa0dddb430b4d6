"""The route of a service's own results: the one its submit took, with the environment's proxies and certificates.

A submit goes through the proxy that the environment names, and trusts the certificates it names. A result that came
another way could be paid for and never fetched. Strangers' links take no proxy, which would look their names up once
more and on its own (see ``download``).
"""

from __future__ import annotations

import asyncio
import os
from ipaddress import IPv4Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.errors import ConfigurationError, ImageRefused
from atelier_mcp.server.images.host_addresses import filter_public_addresses

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from atelier_mcp.server.images.host_addresses import Resolver

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
FAKE_NETWORK = IPv4Network("198.18.0.0/15")
"""A test network (RFC 2544): what resolvers of proxy tools answer for every name, to catch the connection."""
_LOOKUP_TIMEOUT_S = 3.0


def find_proxy(url: str) -> str | None:
    """The proxy that the environment names for a link, credentials included; None where the way is direct."""
    parts = urlsplit(url)
    if is_loopback_url(url) or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    # Variables often name a proxy without its scheme.
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def build_unproxied_hint(url: str, hint: str) -> str:
    """What to do about a stranger's link that cannot be reached: ``hint``, or where the environment names a proxy why
    the link does not go through that.
    """
    if find_proxy(url) is None:
        return hint
    return (
        "Links given by callers do not go through the proxy that the environment names, since it might look into its "
        "own network for them: fetch the picture yourself and give its path or a data URL."
    )


def is_fake_address(address: str) -> bool:
    """Whether an address is one that only a proxy tool's resolver gives."""
    return ip_address(address) in FAKE_NETWORK


def create_ssl_context(*, trust_environment: bool = True) -> ssl.SSLContext:
    """The certificates that connections are checked against.

    Raises ``ConfigurationError`` naming the variable where the environment names files that cannot be read.
    """
    import httpx2

    try:
        return httpx2.create_ssl_context(trust_env=trust_environment)
    except OSError as err:  # a file that is not there, or that holds no certificates
        raise build_certificate_error() from err


def build_certificate_error() -> ConfigurationError:
    """The error for certificates that cannot be read."""
    names = " and ".join(name for name in CERTIFICATE_VARIABLES if os.environ.get(name))
    return ConfigurationError(
        f"{names or 'The certificates'}: no certificates can be read there, so no secure connection can be made.",
        hint="Name an existing file of certificates, or unset the variable; then start the server again.",
    )


async def is_fake_resolver(hosts: Iterable[str], resolver: Resolver) -> bool:
    """True when one of the hosts, each with its port, has an address that only a proxy tool's resolver gives."""
    for host in hosts:
        # The port follows the last colon. IPv6 addresses have brackets here, and none in a lookup.
        name, _, port = host.rpartition(":")
        if any(is_fake_address(address) for address in await _look_up(name.strip("[]"), int(port), resolver)):
            return True
    return False


async def check_proxied_host(host: str, port: int, resolver: Resolver) -> None:
    """Pass a host that a proxy may be asked for; raise ``ImageRefused`` for one in a private or local network.

    A name that cannot be looked up here is the proxy's to look up.
    """
    addresses = await _look_up(host, port, resolver)
    is_fake = any(map(is_fake_address, addresses))
    if addresses and not is_fake and not filter_public_addresses(addresses):
        raise ImageRefused(f"The host {host} lies in a private or local network, from which no pictures are read.")


async def _look_up(host: str, port: int, resolver: Resolver) -> list[str]:
    try:
        return list(await asyncio.wait_for(resolver(host, port), _LOOKUP_TIMEOUT_S))
    except (OSError, UnicodeError, TimeoutError):
        return []
