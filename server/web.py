"""Atelier over HTTP: safe by default. Host and Origin are checked on every route; beyond loopback a token is needed."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from atelier_mcp.server.addresses import is_loopback
from atelier_mcp.server.app import create_server
from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from atelier_mcp.server.settings import Settings

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PUBLIC_PATHS = ("/healthz", "/pictures/")
"""No token: the first says nothing, the second carries a signature of its own."""


def create_web_app(settings: Settings, *, host: str) -> ASGIApp:
    """The whole HTTP service: ``/mcp``, ``/healthz`` and signed picture links.

    Raises ``ConfigurationError`` when it would listen beyond loopback without a token.
    """
    token = settings.http_token.get_secret_value() if settings.http_token else ""
    if not token and not is_loopback(host):
        raise ConfigurationError(
            f"Refusing to listen on {host} without a token.",
            hint="Set ATELIER_HTTP_TOKEN to a long random text, or listen on 127.0.0.1.",
        )
    from atelier_mcp.server.clock import SystemClock
    from atelier_mcp.server.images.hosting import LinkSigner, create_image_routes, load_signing_key
    from atelier_mcp.server.images.store import ImageStore

    server = create_server(settings, transport="http")

    @server.custom_route("/healthz", methods=["GET"])
    async def healthz(_: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # the decorator keeps it
        return JSONResponse({"status": "ok"})

    # The SDK's check covers its own route alone; AccessMiddleware below covers all of them.
    app = server.streamable_http_app(
        host=host, transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    signer = LinkSigner(load_signing_key(settings.home), SystemClock())
    app.router.routes.extend(create_image_routes(ImageStore(settings.home), signer))
    return AccessMiddleware(app, host_names=_collect_host_names(settings, host), token=token)


def _collect_host_names(settings: Settings, host: str) -> frozenset[str]:
    public_host = urlsplit(settings.public_url).hostname
    return LOOPBACK_HOSTS | {host.strip("[]"), *([public_host] if public_host else [])}


class AccessMiddleware:
    """Lets a request in only under one of our names, from our own origin, and with the token if there is one."""

    def __init__(self, app: ASGIApp, *, host_names: frozenset[str], token: str) -> None:
        """Guard ``app``; an empty ``token`` means that none is asked for."""
        self._app = app
        self._host_names = host_names
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with why not."""
        # Else the lifespan, which has neither headers nor a path.
        rejection = self._check_access(scope) if scope["type"] == "http" else None
        await (rejection or self._app)(scope, receive, send)

    def _check_access(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # Against DNS rebinding: a page elsewhere whose name now leads here still sends its own name as Host.
        if urlsplit(f"//{headers.get('host', '')}").hostname not in self._host_names:
            return PlainTextResponse("This host name is not served; set ATELIER_PUBLIC_URL to it.", status_code=421)
        origin = headers.get("origin")
        # Only browsers send Origin; clients without one are not browsers, and the token is for them.
        if origin and urlsplit(origin).hostname not in self._host_names:
            return PlainTextResponse("This origin is not allowed.", status_code=403)
        if scope["path"].startswith(PUBLIC_PATHS) or self._is_authorized(headers.get("authorization", "")):
            return None
        return PlainTextResponse("A bearer token is needed.", status_code=401, headers={"WWW-Authenticate": "Bearer"})

    def _is_authorized(self, authorization: str) -> bool:
        if not self._token:
            return True
        scheme, _, bearer_token = authorization.partition(" ")
        # Compared in constant time, as bytes: compare_digest takes no text beyond ASCII.
        return scheme.lower() == "bearer" and hmac.compare_digest(bearer_token.encode(), self._token.encode())
