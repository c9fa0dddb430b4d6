"""Atelier over HTTP: safe by default. Host and Origin are checked on every route; beyond loopback a token is needed."""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import INVALID_REQUEST
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from atelier_mcp.server.addresses import get_host_and_port, is_loopback, join_host_and_port, split_url
from atelier_mcp.server.app import create_server
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.ledger_check import is_postgres_url
from atelier_mcp.server.message_lines import replace_escaped_surrogates
from atelier_mcp.server.web.health import Readiness, answer_health

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from atelier_mcp.server.resources import ImageResourceServer
    from atelier_mcp.server.settings import Settings

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PUBLIC_PATHS = ("/pictures/",)
"""No token: a link carries a signature of its own."""
DISCOVERY_PATHS = "/.well-known/"
"""Where clients look for OAuth; to some of them a 401 there says that it is broken."""
MIN_TOKEN_CHARS = 16
"""Beyond loopback, where anybody may try."""
MAX_SESSIONS = 2000
"""Of clients of the older protocol; each is forgotten after half an hour without a request."""
MAX_BODY_BYTES = 70_000_000
"""A picture of 50 MB as a data URL, and words around it."""


def create_web_app(
    settings: Settings, *, host: str, on_ready: Callable[[Readiness], None] = lambda _readiness: None
) -> ASGIApp:
    """The whole HTTP service: ``/mcp``, ``/healthz``, ``/readyz``, signed picture links, and the gallery at ``/``.

    ``on_ready`` is given what says whether it is to be given requests, so that whoever stops it can say so before.
    Raises ``ConfigurationError`` when it would listen beyond loopback without a token.
    """
    token = settings.http_token.get_secret_value().strip() if settings.http_token else ""
    _require_token(token, host)
    from atelier_mcp.server.clock import SystemClock
    from atelier_mcp.server.images.hosting import LinkSigner, create_image_routes, load_signing_keys
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.web.gallery.routes import create_gallery_routes

    server = cast("ImageResourceServer", create_server(settings, transport="http"))

    # The SDK's check covers its own route alone; AccessMiddleware below covers all of them.
    app = server.streamable_http_app(
        host=host,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=MAX_BODY_BYTES,
        max_sessions=MAX_SESSIONS,
    )
    shared_keys = settings.signing_keys.get_secret_value() if settings.signing_keys else ""
    key, *older_keys = load_signing_keys(settings.home, shared_keys)
    signer = LinkSigner(key, SystemClock(), older_keys=older_keys)
    app.router.routes.extend(create_image_routes(ImageStore(settings.home), signer))
    app.router.routes.extend(create_gallery_routes(server, settings, clock=SystemClock()))
    readiness = Readiness(
        server.service_host, has_shared_ledger=is_postgres_url(settings.database_url), clock=SystemClock()
    )
    on_ready(readiness)
    guarded_app = AccessMiddleware(
        answer_large_bodies(mend_bodies(app)),
        host_names=_collect_host_names(settings, host),
        origins=_collect_origins(settings),
        token=token,
    )
    return answer_health(guarded_app, readiness)


def _require_token(token: str, host: str) -> None:
    """Raise ``ConfigurationError`` where anybody could guess their way in from another machine."""
    if is_loopback(host):
        return
    hint = "Set ATELIER_HTTP_TOKEN to a long random text, or listen on 127.0.0.1."
    if not token:
        raise ConfigurationError(f"Refusing to listen on {host} without a token.", hint=hint)
    if len(token) < MIN_TOKEN_CHARS or len(set(token)) < MIN_TOKEN_CHARS // 2:
        raise ConfigurationError(
            f"ATELIER_HTTP_TOKEN can be guessed: refusing to listen on {host} with fewer than {MIN_TOKEN_CHARS} "
            "characters, or with the same few over and over.",
            hint=hint,
        )


def _collect_host_names(settings: Settings, host: str) -> frozenset[str]:
    public_host = parse_host_name(settings.public_url)
    listed_hosts = {parse_host_name(f"//{name}") or name.lower() for name in settings.http_hosts}
    return LOOPBACK_HOSTS | {host.strip("[]").lower(), *listed_hosts, *([public_host] if public_host else [])}


def _collect_origins(settings: Settings) -> frozenset[str]:
    """The hosts with ports of which pages are let in although they came from another door than ours."""
    listed = [name if "//" in name else f"//{name}" for name in settings.http_hosts]
    named = [get_host_and_port(f"http:{name}") for name in listed if name.startswith("//")]
    # A name alone stands for what a proxy in front of this server shows the world.
    shown = [f"{name.rpartition(':')[0]}:443" for name in named if name.endswith(":80")]
    return frozenset({*named, *shown, get_host_and_port(settings.public_url)}) - {""}


def parse_host_name(address: str) -> str | None:
    """The host name in an address, in lower case; None where there is none, or where it is no address at all."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def mend_bodies(app: ASGIApp) -> ASGIApp:
    """The same application, given U+FFFD for each half of a surrogate pair in what is posted to it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        first: Message | None = None
        if scope["type"] == "http" and scope["method"] == "POST":
            first = await _receive_body(receive)

        async def receive_mended() -> Message:
            nonlocal first
            message, first = first, None
            return message or await receive()

        await app(scope, receive_mended, send)

    return answer


async def _receive_body(receive: Receive) -> Message:
    """The whole body in one message, as far as it is not too large anyway."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return message
        parts.append(message.get("body", b""))
        more_body = message.get("more_body", False)
        if not more_body or sum(map(len, parts)) > MAX_BODY_BYTES:
            return {**message, "body": replace_escaped_surrogates(b"".join(parts)), "more_body": more_body}


def answer_large_bodies(app: ASGIApp) -> ASGIApp:
    """The same application, with a JSON-RPC error in place of its bare 413."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = False

        async def send_with_reason(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                is_refused = True
                text = f"The request is larger than {MAX_BODY_BYTES // 1_000_000} MB. Give a link to the picture."
                error = {"code": INVALID_REQUEST, "message": text}
                response = JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status_code=message["status"])
                await response(scope, receive, send)
            elif not is_refused:
                await send(message)

        await app(scope, receive, send_with_reason)

    return answer


class AccessMiddleware:
    """Lets a request in only under one of our names, from our own origin, and with the token if there is one."""

    def __init__(self, app: ASGIApp, *, host_names: frozenset[str], origins: frozenset[str], token: str) -> None:
        """Guard ``app``; ``origins`` are let in beside its own, and an empty ``token`` means that none is asked for."""
        self._app = app
        self._host_names = host_names
        self._origins = origins
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with why not."""
        # Else the lifespan, which has neither headers nor a path.
        rejection = self._check_access(scope) if scope["type"] == "http" else None
        await (rejection or self._app)(scope, receive, send)

    def _check_access(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # Against DNS rebinding: a page elsewhere whose name now leads here still sends its own name as Host.
        if parse_host_name(f"//{headers.get('host', '')}") not in self._host_names:
            return PlainTextResponse("This host name is not served; add it to ATELIER_HTTP_HOSTS.", status_code=421)
        origin = headers.get("origin")
        # Only browsers send Origin; clients without one are not browsers, and the token is for them.
        if origin and not self._is_own_origin(origin, headers["host"]):
            return PlainTextResponse("This origin is not allowed; add its host to ATELIER_HTTP_HOSTS.", status_code=403)
        if self._token and scope["path"].startswith(DISCOVERY_PATHS):
            return PlainTextResponse("There is no OAuth here; send the bearer token.", status_code=404)
        if scope["path"].startswith(PUBLIC_PATHS) or self._is_authorized(headers.get("authorization", "")):
            return None
        return PlainTextResponse("A bearer token is needed.", status_code=401, headers={"WWW-Authenticate": "Bearer"})

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page came from this very door: another port of this machine is another program."""
        scheme, name, port = split_url(origin)
        own_name, own_port = split_url(f"{scheme}://{host}")[1:]
        if not name:
            return False
        asked = join_host_and_port(scheme, own_name, own_port)
        # One of our names by the same port: 127.0.0.1 for localhost.
        is_same_door = name in self._host_names and join_host_and_port(scheme, own_name, port) == asked
        return is_same_door or join_host_and_port(scheme, name, port) in self._origins

    def _is_authorized(self, authorization: str) -> bool:
        if not self._token:
            return True
        scheme, _, bearer_token = authorization.partition(" ")
        # As bytes, since compare_digest takes no text beyond ASCII; headers are read as Latin-1 whatever was sent.
        sent = bearer_token.strip().encode("latin-1", "replace")
        written = (self._token.encode(), self._token.encode("latin-1", "replace"))
        # Both in constant time, whichever is right.
        return scheme.lower() == "bearer" and any([hmac.compare_digest(sent, one) for one in written])  # noqa: C419
