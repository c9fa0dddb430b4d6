"""One conversation over the wire: streamed, read as it comes, and never sent twice once it may have been taken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ProviderUnavailable, RateLimited, SubmitUnconfirmed
from atelier_mcp.server.providers.http import PATIENCE_S, Answer, Call
from atelier_mcp.server.providers.sensenova.answers import Reply
from atelier_mcp.server.providers.sensenova.errors import NothingThere, broken_off, error_for
from atelier_mcp.server.providers.sensenova.events import END_MARK, Events
from atelier_mcp.server.providers.sensenova.wire import Fault, Piece, piece_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.providers.http import Account
    from atelier_mcp.server.providers.limits import Clock
    from atelier_mcp.server.providers.sensenova.orders import Order

ATTEMPTS: Final = 3
FIRST_PAUSE_S: Final = 0.5
TIMEOUT_S: Final = 180.0
"""Between two parts of an answer; a picture is drawn in such a pause."""
MOST_BYTES: Final = 8_000_000
CUT_OFF: Final = "The answer broke off."
MADE_NO_SENSE: Final = "SenseNova answered with something unreadable."


class Talks:
    """Sends conversations from one account and hears the answers out."""

    def __init__(self, account: Account, *, api_key: str, clock: Clock) -> None:
        """Sign with the bare key, without a scheme word (contract: auth)."""
        self._account = account
        self._headers = {"Authorization": api_key, "Content-Type": "application/json"}
        self._clock = clock

    async def hear(self, order: Order, report: Report) -> Reply:
        """The complete answer; ``report`` is told its last words as they come.

        What was certainly not taken (no connection, 429) is sent again, and at 404 once to the other address. Raises
        ``SubmitUnconfirmed``, quoting what had come, where an answer broke off, and any other ``AtelierError`` where
        there was none.
        """
        try:
            return await self._persistently(order.link, order.body, report)
        except NothingThere as err:
            if order.other_link is None:
                raise error_for(404, str(err), account=self._account) from None
        try:
            return await self._persistently(order.other_link, order.body, report)
        except NothingThere as err:
            raise error_for(404, str(err), account=self._account) from None

    async def _persistently(self, link: str, body: dict[str, Any], report: Report) -> Reply:
        pause_s = FIRST_PAUSE_S
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._once(link, body, report)
            except (RateLimited, ProviderUnavailable) as err:
                if (err.retry_after_s or 0) > PATIENCE_S:
                    raise
                await self._clock.sleep(err.retry_after_s or pause_s)
            pause_s *= 2
        return await self._once(link, body, report)

    async def _once(self, link: str, body: dict[str, Any], report: Report) -> Reply:
        call = Call("POST", link, submit=True, body=body, headers=self._headers, read_timeout_s=TIMEOUT_S)
        reply = Reply()
        try:
            async with self._account.stream(call) as response:
                await self._read(response, reply, report)
        except SubmitUnconfirmed as err:
            if not reply.words:
                raise
            if not reply.links():  # a picture that was drawn is not given up for want of an ending
                raise broken_off(reply.words, err.what, account=self._account) from err
        if not reply.ended and not reply.links():
            raise broken_off(reply.words, CUT_OFF, account=self._account)
        return reply

    async def _read(self, response: httpx2.Response, reply: Reply, report: Report) -> None:
        """Take in the answer, by what it calls itself (contract: error_in_stream_request)."""
        if response.status_code >= 300:
            raise self._refusal(await _whole(response))
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/event-stream":
            self._take_whole(await _whole(response), reply)
            return
        events = Events()
        async for part in _parts(response):
            if self._take_all(events.feed(part), reply):
                return
            report(None, reply.tail())
        if not self._take_all(events.end(), reply):
            reply.ended = bool(reply.words) and _ends_visibly(response)

    def _take_all(self, chunks: list[str], reply: Reply) -> bool:
        """Take in chunks up to the last; whether that was among them (contract: done_terminator)."""
        for data in chunks:
            if data.strip() == END_MARK:
                reply.ended = True
            else:
                self._take_chunk(data, reply)
            if reply.ended:
                return True
        return False

    def _take_whole(self, answer: Answer, reply: Reply) -> None:
        match piece_in(answer.json(), streamed=False):
            case Piece() as piece:
                reply.add(piece)
                reply.ended = True
            case Fault(code, message):
                raise error_for(code, message, account=self._account)
            case None:
                raise SubmitUnconfirmed(MADE_NO_SENSE)

    def _take_chunk(self, data: str, reply: Reply) -> None:
        match piece_in(_json(data), streamed=True):
            case Piece() as piece:
                reply.add(piece)
            case Fault(code, message) if not reply.words:
                raise error_for(code, message, account=self._account)
            case Fault(_, message):
                raise SubmitUnconfirmed(f"The service gave up in the middle. {self._account.quote(message)}")
            case None:
                raise SubmitUnconfirmed(CUT_OFF)

    def _refusal(self, answer: Answer) -> Exception:
        fault = piece_in(answer.json(), streamed=False)
        message = fault.message if isinstance(fault, Fault) else ""
        if answer.status == 404:
            return NothingThere(message)
        wait_s = answer.retry_after_s(self._clock)
        return error_for(answer.status, message, account=self._account, retry_after_s=wait_s)


async def _whole(response: httpx2.Response) -> Answer:
    body = b"".join([part async for part in _parts(response)])
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


async def _parts(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body as it comes, as long as it does not become too much."""
    size_bytes = 0
    async for part in response.aiter_bytes():
        size_bytes += len(part)
        if size_bytes > MOST_BYTES:
            raise SubmitUnconfirmed("The answer does not end.")
        yield part


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _ends_visibly(response: httpx2.Response) -> bool:
    """Whether a body that ended cleanly can be told from one that was cut.

    Then the text is complete without a finish reason (contract: client_algorithm); a connection that merely closed
    proves nothing.
    """
    chunked = "chunked" in response.headers.get("transfer-encoding", "").lower()
    return chunked or "content-length" in response.headers or response.http_version == "HTTP/2"
