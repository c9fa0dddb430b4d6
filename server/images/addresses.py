"""Which network addresses a stranger's link may lead to: the public ones."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAT64 = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are an IPv4 address, which a translator on the way connects to."""


def filter_public_addresses(addresses: Iterable[str]) -> list[str]:
    """Those of the addresses that belong to the public internet, in order."""
    return [address for address in addresses if is_public(ip_address(address))]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False for private, loopback, link-local, multicast, reserved and unspecified addresses.

    An IPv6 address that carries an IPv4 address leads there, so both have to be public.
    """
    embedded = list(_extract_embedded_ipv4(address)) if isinstance(address, IPv6Address) else []
    if embedded:
        return all(is_public(inner) for inner in embedded)
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _extract_embedded_ipv4(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
