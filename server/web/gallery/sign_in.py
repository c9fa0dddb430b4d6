"""Signing in to the gallery with the token that clients send, and out again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from atelier_mcp.server.scopes import READ
from atelier_mcp.server.web.authentication import AccessRefusal
from atelier_mcp.server.web.gallery.page_guard import FRESH_HEADERS, guard_change, guard_read
from atelier_mcp.server.web.gallery.tool_calls import read_document

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.web.authentication import Authenticator
    from atelier_mcp.server.web.gallery.session_cookies import SessionCookies

SESSION_PATH: Final = "/gallery/session"
LOGIN_PATH: Final = "/gallery/login"
LOGOUT_PATH: Final = "/gallery/logout"
WRONG_TOKEN_DELAY_S: Final = 1.0
"""Before a wrong token is refused: whoever tries many waits for each."""


class SignIn:
    """What the routes answer, which are open to whoever has no token yet."""

    def __init__(self, authenticator: Authenticator, cookies: SessionCookies, *, clock: Clock) -> None:
        """Ask ``authenticator`` whose a token is, and keep it in ``cookies``."""
        self._authenticator = authenticator
        self._cookies = cookies
        self._clock = clock

    def create_routes(self) -> list[Route]:
        """Who is there, in, and out."""
        return [
            Route(SESSION_PATH, guard_read(self.describe_session), methods=["GET"]),
            Route(LOGIN_PATH, guard_change(self.sign_in), methods=["POST"]),
            Route(LOGOUT_PATH, guard_change(self.sign_out), methods=["POST"]),
        ]

    async def describe_session(self, request: Request) -> Response:
        """Whether the library is open to this browser, and whether that can be ended here."""
        found = await self._authenticator.authenticate(self._cookies.find_authorization(request))
        is_open = not isinstance(found, AccessRefusal)
        can_leave = is_open and self._authenticator.needs_token() and bool(self._cookies.find_token(request.cookies))
        return JSONResponse({"is_open": is_open, "can_leave": can_leave}, headers=FRESH_HEADERS)

    async def sign_in(self, request: Request) -> Response:
        """Keep the token of the page's JSON, ``{"token": ...}``, in a cookie, where it is good for looking."""
        token = str((await read_document(request)).get("token", "")).strip()
        # As a header would have it: the same bytes, read as Latin-1.
        token = token.encode("utf-8", "replace").decode("latin-1")
        found = await self._authenticator.authenticate(f"Bearer {token}")
        if isinstance(found, AccessRefusal):
            await self._clock.sleep(WRONG_TOKEN_DELAY_S)
            return PlainTextResponse(found.text, status_code=found.status, headers=FRESH_HEADERS)
        if READ not in found.scopes:
            return _refuse(HTTPStatus.FORBIDDEN, "This token is not good for looking at pictures.")
        response = JSONResponse({"is_open": True}, headers=FRESH_HEADERS)
        if self._authenticator.needs_token():
            # The page's own origin, which was checked: behind a proxy that ends TLS the request says http.
            is_secure = request.headers["origin"].startswith("https://")
            cookie = self._cookies.build(token, is_secure=is_secure)
            if cookie is None:
                return _refuse(HTTPStatus.BAD_REQUEST, "This token is too long to be kept in a browser.")
            response.headers.append("set-cookie", cookie)
        return response

    async def sign_out(self, _: Request) -> Response:
        """Take the cookie from the browser, and what it keeps of the library."""
        headers = {**FRESH_HEADERS, "clear-site-data": '"cache"'}
        response = JSONResponse({"is_open": not self._authenticator.needs_token()}, headers=headers)
        for cookie in self._cookies.build_removal():
            response.headers.append("set-cookie", cookie)
        return response


def _refuse(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text, status_code=status, headers=FRESH_HEADERS)
