"""One endpoint's calls: sent once, read as they come, and sorted by what is known of the money (contract: durable)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    ConfigurationError,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.base import TaskFailed
from atelier_mcp.server.providers.event_stream import END_MARK, EventStreamDecoder
from atelier_mcp.server.providers.http import MAX_RESPONSE_BYTES
from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse
from atelier_mcp.server.providers.openai_images.answers import DrawingAnswer
from atelier_mcp.server.providers.openai_images.errors import build_error, parse_fault
from atelier_mcp.server.providers.openai_images.payload import CALL_TIMEOUT_S, OPTIONAL_FIELDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.openai_images.payload import DrawingCall
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect

MAX_ATTEMPTS: Final = 3
MAX_WAIT_S: Final = 90.0
"""The longest delay a service may ask for that is waited for: the call is in the background."""
FIRST_LIMIT_WAIT_S: Final = 20.0
"""Where no delay is named (contract: rate.headers)."""
FIRST_CONNECTION_WAIT_S: Final = 0.5


class OpenaiSession:
    """Sends drawing calls with one key, and reads lists."""

    def __init__(self, client: UpstreamClient, server: ServerDialect, *, api_key: str, suffix: str = "") -> None:
        """Speak as ``server`` does; without a key none is sent. ``suffix`` is that of the endpoint's settings."""
        self.client = client
        self.suffix = suffix
        self.server = server
        value = f"Bearer {api_key}" if server.key_header == "Authorization" else api_key
        self._headers = {server.key_header: value} if api_key else {}
        self._refused_fields: dict[tuple[str, str], set[str]] = {}
        """By model and path: optional fields that were refused, and are not sent again."""

    async def draw(self, call: DrawingCall, *, job_id: str, report: ProgressCallback) -> DrawingAnswer | TaskFailed:
        """What a call came to; a failure is that of work which was accepted.

        Only what was certainly not taken is sent again: without a connection, after a limit, and once without an
        optional field that was refused. Raises ``SubmitUnconfirmed`` where nobody knows what became of it.
        """
        # A log aid; it keeps no call from being done twice (contract: client_request_id).
        headers = {**self._headers, "X-Client-Request-Id": job_id}
        refused = self._refused_fields.setdefault((str(call.fields["model"]), call.path), set())
        try:
            return await self._send(call.build_request(headers, without=refused), report)
        except _FieldRefused as err:
            if err.field not in call.fields.keys() & OPTIONAL_FIELDS - refused:
                raise err.error from None
            refused.add(err.field)
        try:
            return await self._send(call.build_request(headers, without=refused), report)
        except _FieldRefused as err:
            raise err.error from None

    async def read(self, path: str) -> Any:
        """A document that costs nothing."""
        http_request = HttpRequest("GET", path, headers=self._headers)
        response = await self.client.request(http_request)
        return self.client.parse_json(http_request, response)

    async def _send(self, http_request: HttpRequest, report: ProgressCallback) -> DrawingAnswer | TaskFailed:
        for attempt in range(MAX_ATTEMPTS - 1):
            try:
                return await self._send_once(http_request, report)
            except (RateLimited, ProviderUnavailable) as err:
                first_s = FIRST_LIMIT_WAIT_S if isinstance(err, RateLimited) else FIRST_CONNECTION_WAIT_S
                wait_s = err.retry_after_s if err.retry_after_s is not None else first_s * 2**attempt
                if wait_s > MAX_WAIT_S:
                    raise
            except _MaybeThrottled as err:
                if attempt:
                    raise err.error from None
                wait_s = FIRST_LIMIT_WAIT_S
            report(None, "waiting for the service's limit")
            await self.client.clock.sleep(wait_s)
        try:
            return await self._send_once(http_request, report)
        except _MaybeThrottled as err:
            raise err.error from None

    async def _send_once(self, http_request: HttpRequest, report: ProgressCallback) -> DrawingAnswer | TaskFailed:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S), self.client.stream(http_request) as response:
                return await self._read_response(response, report)
        except TimeoutError:
            raise SubmitUnconfirmed(f"{self.client.service} did not answer in {CALL_TIMEOUT_S / 60:.0f} min.") from None

    async def _read_response(self, response: httpx2.Response, report: ProgressCallback) -> DrawingAnswer | TaskFailed:
        if 300 <= response.status_code < 400:
            raise ConfigurationError(
                f"{self.client.service} answers with a redirect: check OPENAI_BASE_URL{self.suffix}."
            )
        if response.status_code >= 400:
            return self._refuse(await self._read_whole(response))
        # Of a stream the head comes long before the picture; that of a whole answer comes with it.
        report(None, "drawing")
        answer = DrawingAnswer()
        if _get_media_type(response) == "text/event-stream":
            await self._read_events(response, answer)
        elif not answer.add_document((await self._read_whole(response)).json()):
            # 200 with a page, half a document, or nothing that was promised.
            raise SubmitUnconfirmed(f"{self.client.service} answered the submit with something unreadable.")
        return answer

    async def _read_events(self, response: httpx2.Response, answer: DrawingAnswer) -> None:
        """Take in a stream up to its last event; by the data alone (contract: streaming.reader)."""
        decoder = EventStreamDecoder()
        async for part in self._iterate_body(response):
            if _add_events(answer, decoder.feed(part)):
                return
        if not _add_events(answer, decoder.flush()):
            raise SubmitUnconfirmed(f"{self.client.service} ended the stream without the picture.")

    def _refuse(self, response: HttpResponse) -> TaskFailed:
        """The failure of work that was accepted; raises what else a refusal means."""
        fault = parse_fault(response, clock=self.client.clock)
        assert fault is not None  # noqa: S101  # the status says so
        error = build_error(fault, self.server, self.client, suffix=self.suffix)
        if fault.is_accepted:
            return TaskFailed(error)
        if fault.status == 403 and 403 in self.server.throttle_statuses:
            raise _MaybeThrottled(_add_throttle_reading(error))
        if fault.status == 400 and fault.param and isinstance(error, InvalidRequest):
            raise _FieldRefused(fault.param, error)
        raise error

    async def _read_whole(self, response: httpx2.Response) -> HttpResponse:
        body = b"".join([part async for part in self._iterate_body(response)])
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body)

    async def _iterate_body(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for part in response.aiter_bytes():
            size_bytes += len(part)
            if size_bytes > MAX_RESPONSE_BYTES:
                raise SubmitUnconfirmed(f"The answer of {self.client.service} does not end.")
            yield part


class _CarriedError(Exception):
    """An error on its way to where it is known what else may be tried."""

    def __init__(self, error: AtelierError) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class _MaybeThrottled(_CarriedError):
    """Refused in words that were seen to mean a limit (contract: sensenova.403)."""


class _FieldRefused(_CarriedError):
    """Refused for the sake of one field, before it cost anything."""

    def __init__(self, field: str, error: InvalidRequest) -> None:
        super().__init__(error)
        self.field = field


def _add_events(answer: DrawingAnswer, events: list[str]) -> bool:
    """Take in events; whether the last was among them."""
    for data in events:
        if data.strip() == END_MARK:
            return bool(answer.outputs or answer.reasons)
        try:
            event: Any = json.loads(data)
        except ValueError:
            continue
        if isinstance(event, dict) and answer.add_event(event):  # pyright: ignore[reportUnknownArgumentType]  # any JSON
            return True
    return False


def _get_media_type(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _add_throttle_reading(error: AtelierError) -> AccountRefused:
    return AccountRefused(
        f"{error.message} It was so after a wait of {FIRST_LIMIT_WAIT_S:.0f} s as well, "
        "which rules out the short limit that this answer can mean.",
        hint=error.hint,
    )
