"""Which addresses are this machine's own, and when two addresses lead to the same host."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_SAME_MACHINE = ("127.0.0.1", "[::1]", "localhost")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8, ::1 and localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_loopback_url(url: str) -> bool:
    """True when what answers at an address runs on this machine."""
    # By what is written: a name that resolves to this machine is not looked up, and counts as another's.
    return is_loopback(split_url(url)[1])


def join_host_and_port(scheme: str, host: str, port: int | None) -> str:
    """A host with the port that is really used, by which hosts are compared: ``api.example.com:443``, ``[::1]:80``.

    ``port`` is None where none is written.
    """
    name = host.strip("[]").lower().removesuffix(".")
    return f"{f'[{name}]' if ':' in name else name}:{port or _DEFAULT_PORTS.get(scheme, 0)}"


def get_host_and_port(url: str) -> str:
    """``join_host_and_port`` of an http or https address; nothing where it is none."""
    scheme, host, port = split_url(url)
    return join_host_and_port(scheme, host, port) if host else ""


def get_origin(url: str) -> str:
    """Scheme, host and port of an http or https address, ``https://api.example.com:443``; nothing where it is none."""
    host_and_port = get_host_and_port(url)
    return f"{split_url(url)[0]}://{host_and_port}" if host_and_port else ""


def list_own_names(host_and_port: str) -> frozenset[str]:
    """A host with its port, and where it is this machine, the machine's other names with the same port."""
    name, _, port = host_and_port.rpartition(":")
    return frozenset({host_and_port, *(f"{other}:{port}" for other in _SAME_MACHINE if name in _SAME_MACHINE)})


def split_url(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address; an empty host where it has none or cannot be read, as ``http://[``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port


def get_url_path(url: str) -> str:
    """The path of an address, still encoded; empty where the address cannot be read, as ``http://[/x``."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
