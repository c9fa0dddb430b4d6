"""Under which names the emulator answers.

A page in a browser can have a name that leads to this machine (DNS rebinding) and so talk to what listens here. The
services need a key; the control API needs none, and answers only under names that no stranger can give out.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

CONTROL_PREFIX = "/_control"


class HostMiddleware:
    """Answers 400 to a Host header that is none, and 421 to the control API under a foreign name."""

    def __init__(self, app: ASGIApp) -> None:
        """Guard ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with why not."""
        app = self._app
        if scope["type"] == "http":
            name = _parse_name(Headers(scope=scope).get("host", ""))
            if name is None:
                app = JSONResponse({"error": "the Host header names no host"}, status_code=400)
            elif scope["path"].startswith(CONTROL_PREFIX) and not _is_unmistakable(name):
                app = JSONResponse({"error": "the control API answers to localhost and to addresses"}, status_code=421)
        await app(scope, receive, send)


def _parse_name(host: str) -> str | None:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts.hostname


def _is_unmistakable(name: str) -> bool:
    """True for localhost and for an address: nobody else can make these lead here."""
    if name == "localhost":
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
