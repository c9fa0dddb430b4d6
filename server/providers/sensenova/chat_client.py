"""One conversation over the wire: streamed, read as it comes, and never sent twice once it may have been taken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import ProviderUnavailable, RateLimited, SubmitUnconfirmed
from atelier_mcp.server.providers.event_stream import END_MARK, EventStreamDecoder
from atelier_mcp.server.providers.http import MAX_RETRY_WAIT_S
from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse
from atelier_mcp.server.providers.sensenova.completion import SensenovaCompletion
from atelier_mcp.server.providers.sensenova.errors import SensenovaNotFound, build_error, build_interrupted_error
from atelier_mcp.server.providers.sensenova.wire import SensenovaChunk, SensenovaFault, parse_chunk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.sensenova.conversation import SensenovaPayload

MAX_ATTEMPTS: Final = 3
FIRST_BACKOFF_S: Final = 0.5
READ_TIMEOUT_S: Final = 180.0
"""Between two parts of an answer; a picture is drawn in such a pause."""
MAX_BYTES: Final = 8_000_000
INTERRUPTED: Final = "The answer broke off."
UNREADABLE: Final = "SenseNova answered with something unreadable."


class SensenovaChatClient:
    """Sends conversations from one account and reads the answers to their end."""

    def __init__(self, client: UpstreamClient, *, api_key: str, clock: Clock) -> None:
        """Sign with the bare key, without a scheme word (contract: auth)."""
        self.client = client
        self._headers = {"Authorization": api_key, "Content-Type": "application/json"}
        self._clock = clock

    async def complete(self, payload: SensenovaPayload, report: ProgressCallback) -> SensenovaCompletion:
        """The complete answer; ``report`` is told its last words as they come.

        What was certainly not taken (no connection, 429) is sent again, and at 404 once to the other address. Raises
        ``SubmitUnconfirmed``, quoting what had come, where an answer broke off, and any other ``AtelierError`` where
        there was none.
        """
        try:
            return await self._send_with_retries(payload.link, payload.body, report)
        except SensenovaNotFound as err:
            if payload.fallback_link is None:
                raise build_error(404, str(err), client=self.client) from None
        try:
            return await self._send_with_retries(payload.fallback_link, payload.body, report)
        except SensenovaNotFound as err:
            raise build_error(404, str(err), client=self.client) from None

    async def _send_with_retries(
        self, link: str, body: dict[str, Any], report: ProgressCallback
    ) -> SensenovaCompletion:
        # Loops here and not in the client: a stream cannot be repeated there once it was opened.
        backoff_s = FIRST_BACKOFF_S
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return await self._send_once(link, body, report)
            except (RateLimited, ProviderUnavailable) as err:
                if (err.retry_after_s or 0) > MAX_RETRY_WAIT_S:
                    raise
                await self._clock.sleep(err.retry_after_s or backoff_s)
            backoff_s *= 2
        return await self._send_once(link, body, report)

    async def _send_once(self, link: str, body: dict[str, Any], report: ProgressCallback) -> SensenovaCompletion:
        http_request = HttpRequest(
            "POST", link, is_submit=True, body=body, headers=self._headers, read_timeout_s=READ_TIMEOUT_S
        )
        reply = SensenovaCompletion()
        try:
            async with self.client.stream(http_request) as response:
                await self._read_response(response, reply, report)
        except SubmitUnconfirmed as err:
            if not reply.text:
                raise
            if not reply.parse_image_links():  # a picture that was drawn is not given up for want of an ending
                raise build_interrupted_error(reply.text, err.message, client=self.client) from err
        if not reply.is_complete and not reply.parse_image_links():
            raise build_interrupted_error(reply.text, INTERRUPTED, client=self.client)
        return reply

    async def _read_response(
        self, response: httpx2.Response, reply: SensenovaCompletion, report: ProgressCallback
    ) -> None:
        """Take in the answer, by what it calls itself (contract: error_in_stream_request)."""
        # A redirect is a refusal, too: the key must not follow it to another host.
        if response.status_code >= 300:
            raise self._build_refusal(await _read_whole_response(response))
        # An error to a streaming request comes as plain JSON, and some gateways turn streams into one document.
        if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/event-stream":
            self._add_document(await _read_whole_response(response), reply)
            return
        decoder = EventStreamDecoder()
        async for part in _iterate_body(response):
            if self._add_chunks(decoder.feed(part), reply):
                return
            # Once per part as it arrives, not once per word.
            report(None, reply.format_tail())
        if not self._add_chunks(decoder.flush(), reply):
            reply.is_complete = bool(reply.text) and _has_visible_end(response)

    def _add_chunks(self, chunks: list[str], reply: SensenovaCompletion) -> bool:
        """Take in chunks up to the last; whether that was among them (contract: done_terminator)."""
        for data in chunks:
            if data.strip() == END_MARK:
                reply.is_complete = True
            else:
                self._add_chunk(data, reply)
            if reply.is_complete:
                return True
        return False

    def _add_document(self, response: HttpResponse, reply: SensenovaCompletion) -> None:
        match parse_chunk(response.json(), is_stream=False):
            case SensenovaChunk() as piece:
                reply.add_chunk(piece)
                reply.is_complete = True
            case SensenovaFault(code, message):
                raise build_error(code, message, client=self.client)
            case None:
                raise SubmitUnconfirmed(UNREADABLE)

    def _add_chunk(self, data: str, reply: SensenovaCompletion) -> None:
        match parse_chunk(_parse_json(data), is_stream=True):
            case SensenovaChunk() as piece:
                reply.add_chunk(piece)
            case SensenovaFault(code, message) if not reply.text:
                raise build_error(code, message, client=self.client)
            case SensenovaFault(_, message):
                raise SubmitUnconfirmed(f"The service gave up in the middle. {self.client.quote(message)}")
            case None:
                raise SubmitUnconfirmed(INTERRUPTED)

    def _build_refusal(self, response: HttpResponse) -> Exception:
        fault = parse_chunk(response.json(), is_stream=False)
        message = fault.message if isinstance(fault, SensenovaFault) else ""
        if response.status == 404:
            return SensenovaNotFound(message)
        wait_s = response.get_retry_after_s(self._clock)
        return build_error(response.status, message, client=self.client, retry_after_s=wait_s)


async def _read_whole_response(response: httpx2.Response) -> HttpResponse:
    body = b"".join([part async for part in _iterate_body(response)])
    return HttpResponse(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


async def _iterate_body(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body as it comes, as long as it does not become too much."""
    size_bytes = 0
    async for part in response.aiter_bytes():
        size_bytes += len(part)
        if size_bytes > MAX_BYTES:
            raise SubmitUnconfirmed("The answer does not end.")
        yield part


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _has_visible_end(response: httpx2.Response) -> bool:
    """Whether a body that ended cleanly can be told from one that was cut.

    Then the text is complete without a finish reason (contract: client_algorithm); a connection that merely closed
    proves nothing.
    """
    is_chunked = "chunked" in response.headers.get("transfer-encoding", "").lower()
    return is_chunked or "content-length" in response.headers or response.http_version == "HTTP/2"
