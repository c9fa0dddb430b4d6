"""Which addresses are this machine's own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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
    return is_loopback(urlsplit(url).hostname or "")
