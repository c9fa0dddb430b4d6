"""Looking up a host: the addresses it has, and those of them that a stranger's link may lead to.

Only addresses of the public internet are allowed: a link to any other would make this server read, on a stranger's
behalf, what lies in its own network (a router, a cloud's metadata service, a database).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to every address of the host, best first."""

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address, which a translator on the way connects to."""
_NOT_PUBLIC_EITHER: Final = (
    IPv4Network("192.0.0.0/24"),  # of protocols; one cloud's metadata service is 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, withdrawn by RFC 7526
    IPv4Network("168.63.129.16/32"),  # the host of one cloud's virtual machines, seen from inside alone
    IPv6Network("3fff::/20"),  # for documentation, by RFC 9637
)
"""What ``is_global`` is true of, in some version of Python."""


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as the operating system knows them, best first. Raises ``OSError`` for an unknown one."""
    # One kind of socket, or every address would come several times.
    address_infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in address_infos]


def filter_public_addresses(addresses: Iterable[str]) -> list[str]:
    """Those of the addresses that belong to the public internet, in order."""
    return [address for address in addresses if is_public(ip_address(address))]


def is_private_literal(host: str) -> bool:
    """True for an address that is written out, in any notation, and is not public; also for localhost itself."""
    if host.lower().removesuffix(".").endswith("localhost"):
        return True
    try:
        return not is_public(ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        # As connections read them: 127.1, 2130706433, 0x7f.1.
        return not is_public(IPv4Address(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return False


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False for private, loopback, link-local, multicast, reserved and unspecified addresses.

    An IPv6 address that carries an IPv4 address leads there, so both have to be public.
    """
    embedded = list(_extract_embedded_ipv4(address)) if isinstance(address, IPv6Address) else []
    if embedded:
        return all(is_public(inner) for inner in embedded)
    # ``is_global`` is true of fec0::/10 (RFC 3879 withdrew it, networks still use it), and of multicast groups.
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC_EITHER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _extract_embedded_ipv4(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:  # the server that relays and the client behind it: a packet may end at either
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
