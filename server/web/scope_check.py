"""Refuses a call whose tool needs more than its token is good for, before the tool runs: a result begins no login.

By the body alone: requests of the newest protocol name their tool in a header, too, but an older one may carry that
header with anything in it.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import PlainTextResponse

from atelier_mcp.server.mcp_tasks.negotiation import CANCEL_METHOD
from atelier_mcp.server.principals import SCOPE_KEY
from atelier_mcp.server.scopes import CREATE, READ, SCOPES
from atelier_mcp.server.tool_names import RENAMED_TOOLS
from atelier_mcp.server.web.authentication import AccessRefusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from atelier_mcp.server.principals import Principal

CHANGING_PATHS: Final = ("/gallery/call", "/gallery/delete")
_LARGE_BODY_BYTES: Final = 200_000
"""Parsed in a thread from here on, so that other requests do not wait for it."""


class ScopeCheck:
    """Lets a request on to the application when its principal has every scope that it needs."""

    def __init__(self, app: ASGIApp, scopes_by_tool: Mapping[str, str], *, metadata_url: str = "") -> None:
        """Guard ``app``, whose POSTs come with their whole body in the first message."""
        self._app = app
        self._scopes_by_tool = scopes_by_tool
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 with the scopes that are missing."""
        principal: Principal | None = scope.get(SCOPE_KEY)
        # Who may do all needs no look into the body, nor does what came in without a principal: it is for everybody.
        if principal is None or principal.scopes.issuperset(SCOPES):
            await self._app(scope, receive, send)
            return
        first: Message | None = await receive() if scope["method"] == "POST" else None
        needed = await self._find_needed(scope["path"], first)
        if not needed <= principal.scopes:
            await self._refuse(needed)(scope, receive, send)
            return

        async def receive_again() -> Message:
            nonlocal first
            message, first = first, None
            return message or await receive()

        await self._app(scope, receive_again, send)

    async def _find_needed(self, path: str, first: Message | None) -> set[str]:
        if path.startswith(CHANGING_PATHS):
            return {CREATE}
        body: bytes = first.get("body", b"") if first else b""
        documents = await asyncio.to_thread(_parse, body) if len(body) > _LARGE_BODY_BYTES else _parse(body)
        return {READ, *self._list_scopes(documents)}

    def _list_scopes(self, documents: list[Any]) -> Iterator[str]:
        """What the calls among JSON-RPC messages need; nothing for a tool that there is not."""
        for document in documents:
            if not isinstance(document, dict):
                continue
            message = cast("dict[str, Any]", document)
            params = message.get("params")
            if message.get("method") == CANCEL_METHOD:
                yield CREATE
            if message.get("method") == "tools/call" and isinstance(params, dict):
                name = str(cast("dict[str, Any]", params).get("name"))
                yield self._scopes_by_tool.get(RENAMED_TOOLS.get(name, name), READ)

    def _refuse(self, needed: set[str]) -> PlainTextResponse:
        # Without those that another one includes: a client asks its user for what is listed.
        wanted = " ".join(scope for scope in SCOPES if scope in (needed - {READ} or needed))
        text = "This token is not good for that."
        refusal = AccessRefusal(HTTPStatus.FORBIDDEN, text, "insufficient_scope", wanted)
        return PlainTextResponse(
            f"{text} It needs: {wanted}.",
            status_code=refusal.status,
            headers=refusal.build_headers(self._metadata_url),
        )


def _parse(body: bytes) -> list[Any]:
    """The JSON-RPC messages of a body; none where it is no JSON, which whoever reads it next says."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return cast("list[Any]", document) if isinstance(document, list) else [document]
