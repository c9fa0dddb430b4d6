"""The bodies of HTTP requests: read before anything is made of them, within a size for each and a size for all.

A body is held several times over while its call is answered: as bytes, as text, as the picture in it. So it counts from
its first part to the end of the answer. Where too many are there at once the next is refused, not kept waiting: what
waits in the middle of a body holds what the others wait for.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_types import INVALID_REQUEST, JSONRPCRequest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from atelier_mcp.server.message_lines import Refusal, read_body, replace_escaped_surrogates
from atelier_mcp.server.principals import SCOPE_KEY
from atelier_mcp.server.web.open_requests import OpenRequests

if TYPE_CHECKING:
    from mcp_types import JSONRPCMessage
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 70_000_000
"""A picture of 50 MB as a data URL, and words around it."""
MAX_OPEN_BODY_BYTES: Final = 65_536
"""Of a request that came in without a principal: a token to sign in with, and nothing larger."""
MAX_TOTAL_BYTES = 3 * MAX_BODY_BYTES
"""Of all bodies at once, the first part of each left out."""
FREE_BYTES: Final = 65_536
"""So much of each body counts for nothing: a call without pictures is never refused for those with some."""
SERVER_BUSY: Final = -32000
"""The first of the codes that JSON-RPC leaves to servers."""
RETRY_AFTER_S: Final = 5
MCP_PATH: Final = "/mcp"
_THREAD_BYTES: Final = 500_000
"""A longer body is looked into in a thread."""

_Rejection: TypeAlias = tuple[HTTPStatus, Refusal]


class RequestBodies:
    """ASGI middleware that hands each request on with its whole body, or answers why not."""

    def __init__(self, app: ASGIApp) -> None:
        """Read the bodies for ``app``."""
        self._app = app
        self._held_bytes = 0
        self._open_requests = OpenRequests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, check and pass on; what the body takes is given back with the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body()
        limit_bytes = MAX_BODY_BYTES if SCOPE_KEY in scope else MAX_OPEN_BODY_BYTES
        try:
            rejection = _reject_size(_read_declared_size(scope), limit_bytes)
            rejection = rejection or await self._read(body, receive, limit_bytes)
            if rejection is not None:
                await _build_response(*rejection)(scope, receive, send)
            elif scope["path"] == MCP_PATH and scope["method"] == "POST" and body.is_complete:
                await self._pass_message(body, scope, receive, send)
            else:
                await self._app(scope, body.replay(receive), send)
        finally:
            self._release(body)

    async def _pass_message(self, body: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a message on, or answer why not, where the SDK would not answer at all or in words of its own."""
        message = _refuse_media_type(scope) or await _read_message(body)
        if isinstance(message, Refusal):
            await _build_response(HTTPStatus.BAD_REQUEST, message)(scope, receive, send)
            return
        session_id = Headers(scope=scope).get("mcp-session-id", "")
        if not session_id or not isinstance(message, JSONRPCRequest):
            await self._app(scope, body.replay(receive), send)
            return
        async with self._open_requests.open(session_id, message.id) as is_free:
            if is_free:
                await self._app(scope, body.replay(receive), send)
            else:
                text = "Invalid request: another request of this session has that id and is not answered yet."
                refusal = Refusal(message.id, INVALID_REQUEST, text)
                await _build_response(HTTPStatus.BAD_REQUEST, refusal)(scope, receive, send)

    async def _read(self, body: _Body, receive: Receive, limit_bytes: int) -> _Rejection | None:
        """Read all of a body, as far as it is not too large; why it is not taken."""
        rejection: _Rejection | None = None
        while body.last_message is None:
            body.add(await receive())
            if (too_large := _reject_size(body.size_bytes, limit_bytes)) is not None:
                return too_large
            # The rest is read and let go: who hears nothing before the end of a body sees an answer, not a broken pipe.
            rejection = rejection or self._reject_if_busy(body)
            if rejection is not None:
                body.parts.clear()
                self._release(body)
        return rejection

    def _reject_if_busy(self, body: _Body) -> _Rejection | None:
        more_bytes = max(0, body.size_bytes - FREE_BYTES) - body.counted_bytes
        if more_bytes and self._held_bytes + more_bytes > MAX_TOTAL_BYTES:
            return HTTPStatus.SERVICE_UNAVAILABLE, Refusal(
                None, SERVER_BUSY, "Too many large requests at once. Nothing was done; ask again in a few seconds."
            )
        self._held_bytes += more_bytes
        body.counted_bytes += more_bytes
        return None

    def _release(self, body: _Body) -> None:
        self._held_bytes -= body.counted_bytes
        body.counted_bytes = 0


class _Body:
    """What has come of one body."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size_bytes = 0
        self.counted_bytes = 0
        """How many of them the middleware counts as held."""
        self.last_message: Message | None = None
        """The message that ended it: its last part, or that the client is gone."""

    @property
    def is_complete(self) -> bool:
        """Whether all of it has come, and the client is still there."""
        return self.last_message is not None and self.last_message["type"] == "http.request"

    def add(self, message: Message) -> None:
        """Take the next message of a client."""
        if message["type"] == "http.request":
            part = message.get("body", b"")
            self.parts.append(part)
            self.size_bytes += len(part)
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.last_message = message

    def join(self) -> bytes:
        """All of it in one piece, with U+FFFD for each half of a surrogate pair."""
        self.parts = [replace_escaped_surrogates(b"".join(self.parts))]
        return self.parts[0]

    def replay(self, receive: Receive) -> Receive:
        """What an application receives: the whole body in one message, once, then whatever else comes."""

        async def receive_again() -> Message:
            message, self.last_message = self.last_message, None
            if message is None or message["type"] != "http.request":
                return message or await receive()
            whole = self.join()
            self.parts = []
            return {**message, "body": whole}

        return receive_again


def _read_declared_size(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _reject_size(size_bytes: int, limit_bytes: int) -> _Rejection | None:
    if size_bytes <= limit_bytes:
        return None
    text = f"The request is larger than {limit_bytes // 1_000_000} MB. Give a link to the picture."
    if limit_bytes == MAX_OPEN_BODY_BYTES:
        text = f"The request is larger than {limit_bytes:,} bytes."
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Refusal(None, INVALID_REQUEST, text)


def _refuse_media_type(scope: Scope) -> Refusal | None:
    media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        return None
    return Refusal(None, INVALID_REQUEST, "Invalid request: send the message as Content-Type: application/json.")


async def _read_message(body: _Body) -> JSONRPCMessage | Refusal:
    whole = body.join()
    return await asyncio.to_thread(read_body, whole) if len(whole) > _THREAD_BYTES else read_body(whole)


def _build_response(status: HTTPStatus, refusal: Refusal) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(refusal.to_document(), status_code=status, headers=headers)
