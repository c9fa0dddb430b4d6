"""Atelier over HTTP: safe by default. Host and Origin are checked on every route; beyond loopback a token is needed."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from atelier_mcp.server.addresses import get_host_and_port, is_loopback, join_host_and_port, split_url
from atelier_mcp.server.app import create_server
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.ledger_check import is_postgres_url
from atelier_mcp.server.principals import SCOPE_KEY, act_for
from atelier_mcp.server.web.authentication import ACCESS_CHECK_KEY, AccessRefusal, Authenticator
from atelier_mcp.server.web.health import Readiness, answer_health
from atelier_mcp.server.web.oauth import create_verifier, read_protected_resource
from atelier_mcp.server.web.request_bodies import MAX_BODY_BYTES, RequestBodies
from atelier_mcp.server.web.request_limit import RequestLimit
from atelier_mcp.server.web.request_state import create_state_security
from atelier_mcp.server.web.scope_check import ScopeCheck
from atelier_mcp.server.web.token_file import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from atelier_mcp.server.principals import Principal
    from atelier_mcp.server.resources import ImageResourceServer
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.web.gallery.session_cookies import SessionCookies

log: logging.Logger = logging.getLogger(__name__)

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
PUBLIC_PATHS = ("/images/", "/pictures/")
"""No token: a link carries a signature of its own."""
OPEN_PAGES = frozenset({"/", "/favicon.ico", "/gallery/session", "/gallery/login", "/gallery/logout"})
"""The gallery's page, which holds nothing of the library, and the way in."""
GALLERY_PATHS = "/gallery/"
"""Where a cookie stands for its token. Nowhere else: what a browser sends by itself must not reach a tool."""
DISCOVERY_PATHS = "/.well-known/"
"""Where clients look for OAuth; to some of them a 401 there says that it is broken."""
MIN_TOKEN_CHARS = 16
"""Beyond loopback, where anybody may try."""
MAX_SESSIONS = 2000
"""Of clients of the older protocol, where this is the only server; each is forgotten after half an hour of silence."""


def create_web_app(
    settings: Settings, *, host: str, on_ready: Callable[[Readiness], None] = lambda _readiness: None
) -> ASGIApp:
    """The whole HTTP service: ``/mcp``, ``/healthz``, ``/readyz``, signed picture links, and the gallery at ``/``.

    ``on_ready`` is given what says whether it is to be given requests, so that whoever stops it can say so before.
    Raises ``ConfigurationError`` when it would listen beyond loopback without a token, or cannot read the tokens.
    """
    token = settings.http_token.get_secret_value().strip() if settings.http_token else ""
    token_file = TokenFile(settings.home)
    oauth = read_protected_resource(settings)
    _require_token(token, host, has_others=bool(token_file.list_tokens()) or oauth is not None)
    from atelier_mcp.server.clock import SystemClock
    from atelier_mcp.server.images.hosting import (
        LinkSigner,
        create_image_routes,
        load_signing_keys,
        parse_shared_secrets,
    )
    from atelier_mcp.server.web.gallery.routes import create_gallery_routes
    from atelier_mcp.server.web.gallery.session_cookies import SessionCookies
    from atelier_mcp.server.web.gallery.sign_in import SignIn

    shared_keys = settings.signing_keys.get_secret_value() if settings.signing_keys else ""
    security = create_state_security(parse_shared_secrets(shared_keys))
    server = cast("ImageResourceServer", create_server(settings, transport="http", request_state_security=security))

    # The SDK's check covers its own route alone; AccessMiddleware below covers all of them.
    app = server.streamable_http_app(
        host=host,
        stateless_http=_is_one_of_several(settings),
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=MAX_BODY_BYTES,
        max_sessions=MAX_SESSIONS,
    )
    key, *older_keys = load_signing_keys(settings.home, shared_keys)
    signer = LinkSigner(key, SystemClock(), older_keys=older_keys)
    app.router.routes.extend(create_image_routes(server.libraries.store, signer, redirects=True))
    app.router.routes.extend(create_gallery_routes(server, settings, clock=SystemClock()))
    if oauth is not None:
        app.router.routes.extend(oauth.create_routes())
    authenticator = Authenticator(
        http_token=token,
        token_file=token_file,
        is_beyond_loopback=not is_loopback(host),
        verifier=create_verifier(oauth, settings, clock=SystemClock()) if oauth else None,
    )
    session_cookies = SessionCookies([key, *older_keys], SystemClock())
    app.router.routes.extend(SignIn(authenticator, session_cookies, clock=SystemClock()).create_routes())
    metadata_url = oauth.metadata_url if oauth else ""
    readiness = Readiness(
        server.service_host, has_shared_ledger=is_postgres_url(settings.database_url), clock=SystemClock()
    )
    on_ready(readiness)
    guarded_app = AccessMiddleware(
        RequestLimit(
            RequestBodies(ScopeCheck(app, server.scopes_by_tool, metadata_url=metadata_url)),
            at_most=settings.max_requests_per_principal,
        ),
        host_names=_collect_host_names(settings, host),
        origins=_collect_origins(settings),
        public_url=settings.public_url,
        metadata_url=metadata_url,
        authenticator=authenticator,
        session_cookies=session_cookies,
    )
    return answer_health(guarded_app, readiness)


def _is_one_of_several(settings: Settings) -> bool:
    """Whether a client's next request may reach another server, so that nothing may hang on a session of this one.

    Clients of the older protocol then get no session: only a question to them needs one.
    """
    if is_postgres_url(settings.database_url) and settings.signing_keys is None:
        log.warning(
            "ATELIER_SIGNING_KEYS is not set: other servers of this ledger open neither this one's picture links nor "
            "the answers to its questions"
        )
    return is_postgres_url(settings.database_url) or settings.signing_keys is not None


def _require_token(token: str, host: str, *, has_others: bool) -> None:
    """Raise ``ConfigurationError`` where anybody could guess their way in from another machine."""
    if is_loopback(host) or (has_others and not token):
        return
    hint = "Set ATELIER_HTTP_TOKEN to a long random text, add a token (atelier token add), or listen on 127.0.0.1."
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


class AccessMiddleware:
    """Lets a request in only under one of our names, from our own origin, and with a token where one is needed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host_names: frozenset[str],
        origins: frozenset[str],
        authenticator: Authenticator,
        session_cookies: SessionCookies,
        public_url: str = "",
        metadata_url: str = "",
    ) -> None:
        """Guard ``app``; ``origins`` are let in beside its own, and its pictures are read under ``public_url``.

        ``metadata_url`` leads clients to the issuer of tokens, where there is one.
        """
        self._app = app
        self._host_names = host_names
        self._origins = origins
        self._authenticator = authenticator
        self._session_cookies = session_cookies
        self._public_url = public_url
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on for its principal, or answer with why not."""
        # Else the lifespan, which has neither headers nor a path.
        if scope["type"] != "http":
            try:
                await self._app(scope, receive, send)
            finally:
                await self._authenticator.close()
        elif rejection := self._check_access(scope):
            await rejection(scope, receive, send)
        elif scope["path"] in OPEN_PAGES or scope["path"].startswith((*PUBLIC_PATHS, DISCOVERY_PATHS)):
            await self._app(scope, receive, send)
        else:
            await self._answer_for_principal(scope, receive, send)

    async def _answer_for_principal(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = await self._authenticate(scope)
        if isinstance(found, AccessRefusal):
            response = PlainTextResponse(
                found.text, status_code=found.status, headers=found.build_headers(self._metadata_url)
            )
            await response(scope, receive, send)
            return
        if self._authenticator.needs_token():
            found = replace(found, image_url=self._public_url or _build_own_url(scope))
        # The user is the SDK's word for it: it keeps a session to the one that opened it.
        scope[SCOPE_KEY], scope["user"] = found, _build_user(found)
        scope[ACCESS_CHECK_KEY] = partial(self._is_still_let_in, scope)
        with act_for(found):
            await self._app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> Principal | AccessRefusal:
        if scope["path"].startswith(GALLERY_PATHS):
            authorization = self._session_cookies.find_authorization(HTTPConnection(scope))
        else:
            authorization = Headers(scope=scope).get("authorization", "")
        return await self._authenticator.authenticate(authorization)

    async def _is_still_let_in(self, scope: Scope) -> bool:
        return not isinstance(await self._authenticate(scope), AccessRefusal)

    def _check_access(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        # Against DNS rebinding: a page elsewhere whose name now leads here still sends its own name as Host.
        if parse_host_name(f"//{headers.get('host', '')}") not in self._host_names:
            return PlainTextResponse("This host name is not served; add it to ATELIER_HTTP_HOSTS.", status_code=421)
        origin = headers.get("origin")
        # Only browsers send Origin; clients without one are not browsers, and the token is for them.
        if origin and not self._is_own_origin(origin, headers["host"]):
            return PlainTextResponse("This origin is not allowed; add its host to ATELIER_HTTP_HOSTS.", status_code=403)
        if scope["path"].startswith(DISCOVERY_PATHS) and not self._metadata_url:
            return PlainTextResponse("There is no OAuth here; send the bearer token.", status_code=404)
        return None

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page came from this very door: another port of this machine is another program."""
        scheme, name, port = split_url(origin)
        own_name, own_port = split_url(f"{scheme}://{host}")[1:]
        if not name:
            return False
        asked = join_host_and_port(scheme, own_name, own_port)
        # One of our names by the same port: 127.0.0.1 for localhost.
        is_same_endpoint = name in self._host_names and join_host_and_port(scheme, own_name, port) == asked
        return is_same_endpoint or join_host_and_port(scheme, name, port) in self._origins


def _build_own_url(scope: Scope) -> str:
    """The address that a request came to; its Host was checked."""
    return f"{scope['scheme']}://{Headers(scope=scope)['host']}"


def _build_user(principal: Principal) -> AuthenticatedUser:
    token = AccessToken(token="", client_id=principal.client, scopes=[], subject=principal.name)
    return AuthenticatedUser(token)
