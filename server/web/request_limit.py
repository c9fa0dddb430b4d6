"""How many requests one caller may have under way at once, in this process: a few callers must not take it all.

A call holds its place until it is answered, up to 50 s; the stream on which a client of the older protocol only listens
holds none.
"""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

from atelier_mcp.server.message_lines import Refusal
from atelier_mcp.server.principals import SCOPE_KEY, Principal
from atelier_mcp.server.web.request_bodies import MCP_PATH, SERVER_BUSY

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

RETRY_AFTER_S: Final = 5


class RequestLimit:
    """ASGI middleware that answers 429 where a caller has too many requests under way; none of it is then read."""

    def __init__(self, app: ASGIApp, *, at_most: int | None) -> None:
        """Let ``at_most`` requests of each principal through to ``app`` at once; all of them where it is None."""
        self._app = app
        self._at_most = at_most
        self._counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer why not."""
        if self._at_most is None or scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", MCP_PATH):
            await self._app(scope, receive, send)
            return
        principal = scope[SCOPE_KEY]
        name = principal.name if isinstance(principal, Principal) else ""
        if self._counts[name] >= self._at_most:
            await _build_refusal(self._at_most)(scope, receive, send)
            return
        self._counts[name] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._counts[name] -= 1
            if not self._counts[name]:
                del self._counts[name]


def _build_refusal(at_most: int) -> JSONResponse:
    refusal = Refusal(
        None,
        SERVER_BUSY,
        f"{at_most} requests of this caller are under way, and no more are taken at once. Nothing was done; ask again "
        "when one has been answered. One wait_for_jobs waits for many jobs.",
    )
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return JSONResponse(refusal.to_document(), status_code=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
