"""HTTP with one upstream account: one connection pool, one rate limit, and a firm view of what may be repeated.

A read may be repeated. A submit may not, unless the upstream certainly refused it: the connection could not be made,
or the answer said "too fast". Whatever leaves that open is ``SubmitUnconfirmed``.

Nothing of a request but its method, path and status is logged: links are signed and bodies hold prompts.
"""

from __future__ import annotations

import json
import logging
import random
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import (
    ConfigurationError,
    ImageRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
    TransientError,
    UpstreamFailed,
)
from atelier_mcp.server.providers.connections import UpstreamConnections
from atelier_mcp.server.providers.http_messages import HttpResponse
from atelier_mcp.server.providers.rate_limit import TokenBucket
from atelier_mcp.server.providers.redaction import MAX_QUOTE_CHARS, Redactor
from atelier_mcp.server.providers.status_check import build_status_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from contextlib import AbstractAsyncContextManager

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.http_messages import HttpRequest
    from atelier_mcp.server.providers.rate_limit import RequestLimiter

log: logging.Logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
MAX_ATTEMPTS: Final = 3
MAX_RETRY_WAIT_S: Final = 10.0
"""The longest Retry-After that is waited for here; a longer one is for the caller to keep."""
MAX_RESPONSE_BYTES = 96_000_000
"""Eight images of eight megabytes as base64, and room to spare."""
REQUESTS_PER_S: Final = 20.0
"""No service publishes a rate for anything but status requests; this keeps a burst civil."""
LOCAL_REQUESTS_PER_S: Final = 2000.0
"""For a service on this machine, which nobody else shares."""


class UpstreamClient:
    """The connections of one set of credentials."""

    def __init__(
        self,
        *,
        service: str,
        base_url: str,
        further_urls: tuple[str, ...] = (),
        clock: Clock,
        requests_per_s: float = REQUESTS_PER_S,
        secrets: tuple[str, ...] = (),
        address_variable: str = "",
        is_local: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Hold the address; nothing is opened before the first request.

        ``further_urls`` are addresses that the operator has set beside the base address and that requests name whole.
        ``service`` is the name errors use, ``requests_per_s`` the rate that all but status requests keep, ``secrets``
        are struck out of whatever the service says. ``address_variable`` is the setting that an error names where
        nothing answers at the address, which for a service of the user's own may be a service that is not started.
        ``is_local`` is set for a service on this machine, which no proxy of the environment is for and which no rate
        protects; ``transport`` replaces the network. Raises ``ConfigurationError`` for an address without http or
        https.
        """
        if not base_url.startswith(("https://", "http://")):
            raise ConfigurationError(f"The base address of {service} must begin with https:// or http://.")
        self.service = service
        self.clock = clock
        self.is_local = is_local
        self._connections = UpstreamConnections(
            base_url.rstrip("/"), further_urls=further_urls, is_local=is_local, transport=transport
        )
        self._address_variable = address_variable
        self._rate_limit = TokenBucket(per_s=LOCAL_REQUESTS_PER_S if is_local else requests_per_s, clock=clock)
        self._redactor = Redactor(secrets)
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret

    def share_rate(self, count_sharers: Callable[[], int]) -> None:
        """Send at a share of the account's rate: so many send for it, each from a process of its own."""
        self._rate_limit.share(count_sharers)

    @property
    def host(self) -> str:
        """Host and port of the address: ``api.example.com:443``."""
        return self._connections.host

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address: ``https://api.example.com:443``."""
        return self._connections.origin

    async def request(
        self,
        http_request: HttpRequest,
        *,
        check_response: Callable[[HttpResponse], None] | None = None,
        rate_limit: RequestLimiter | None = None,
    ) -> HttpResponse:
        """Send, and repeat what may be repeated; ``check_response`` raises for the answers that are refusals.

        Without it every status of 400 and above is one (``status_check``). It may raise anything; ``RateLimited`` and
        ``ProviderUnavailable`` mean that the request was certainly not accepted: it is repeated, up to three attempts
        in all. ``rate_limit`` counts each attempt instead of the account's own limit. Raises these two,
        ``ConfigurationError`` for a redirect, ``UpstreamFailed`` for a link into a private network that the service has
        named, and for a submit ``SubmitUnconfirmed``.
        """
        import stamina

        attempts = stamina.retry_context(
            on=self._get_retry_delay_s,
            attempts=MAX_ATTEMPTS,
            # stamina ends when either is used up; this must leave room for all the waits that the service may ask for.
            timeout=4 * MAX_RETRY_WAIT_S,
            # Short, because a caller waits: what is down for longer is for the poller or the caller to try again.
            wait_initial=0.25,
            wait_max=2,
            wait_jitter=0.5,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._attempt(
                        http_request,
                        check_response or self._build_status_check(http_request),
                        rate_limit or self._rate_limit,
                    )
        except _RetryableError as again:
            # Without the carrier, and with the error of the transport as the cause: the log shows what really broke.
            raise again.error from again.__cause__
        raise AssertionError("stamina yields at least one attempt")

    @asynccontextmanager
    async def stream(self, http_request: HttpRequest) -> AsyncGenerator[httpx2.Response]:
        """The open answer of one attempt; nothing is repeated.

        Raises as ``request`` does while the answer begins; a connection that breaks later raises ``SubmitUnconfirmed``
        for a submit and ``ProviderUnavailable`` for a read.
        """
        import httpx2

        await self._rate_limit.acquire()
        try:
            with self._refuse_unsendable():
                async with self._open(http_request) as response:
                    yield response
        except httpx2.RequestError as err:
            raise self._build_connection_error(http_request, err) from err

    async def close(self) -> None:
        """Give up the connections."""
        await self._connections.close()

    def remember_secret(self, secret: str) -> None:
        """Strike out a token the service gave, too; of such the last few are remembered."""
        self._redactor.remember(secret)

    def quote(self, text: object) -> str:
        """What the service said, marked as its words."""
        return f'{self.service} says: "{self.clean(text)}"' if text else f"{self.service} gave no reason."

    def clean(self, text: object, *, max_chars: int = MAX_QUOTE_CHARS) -> str:
        """The service's words for showing: one line of at most ``max_chars`` characters without secrets."""
        return self._redactor.clean(text, max_chars=max_chars)

    def parse_json(self, http_request: HttpRequest, response: HttpResponse) -> Any:
        """The answer's JSON. Raises ``TransientError`` where it is none or null."""
        document = response.json()
        if document is None:
            raise self.build_unreadable_error(http_request)
        return document

    def build_unreadable_error(self, http_request: HttpRequest) -> TransientError:
        """The error for an answer that makes no sense."""
        if http_request.is_submit:
            return SubmitUnconfirmed(f"{self.service} answered the submit with something unreadable.")
        return ProviderUnavailable(f"{self.service} answered with something unreadable.")

    async def _attempt(
        self, http_request: HttpRequest, check_response: Callable[[HttpResponse], None], rate_limit: RequestLimiter
    ) -> HttpResponse:
        """Send once. What may be repeated is raised as ``_RetryableError``."""
        import httpx2

        await rate_limit.acquire()  # for each attempt anew: the service counts them all
        began_s = self.clock.monotonic()
        try:
            with self._refuse_unsendable():
                async with self._open(http_request) as answer:
                    body = await self._read_body(http_request, answer)
                    response = HttpResponse(answer.status_code, _lower_names(answer.headers), body)
        except httpx2.RequestError as err:
            error = self._build_connection_error(http_request, err)
            # a submit that may have arrived is the one thing that is never repeated
            raise (error if isinstance(error, SubmitUnconfirmed) else _RetryableError(error)) from err
        except ImageRefused as err:
            raise UpstreamFailed(f"{self.service} names a link that is not followed. {err.message}") from err
        self._log_response(http_request, response, took_s=self.clock.monotonic() - began_s)
        try:
            self._refuse_redirect(http_request, response)
            check_response(response)
        except (RateLimited, ProviderUnavailable) as err:
            raise _RetryableError(err) from None
        return response

    @contextmanager
    def _refuse_unsendable(self) -> Generator[None]:
        """Say in words what keeps a request from being written at all: nothing of it has left."""
        import httpx2

        try:
            yield
        except httpx2.InvalidURL as err:
            raise InvalidRequest(
                f"A text is too long for the address of a request to {self.service}.", hint="Give a shorter one."
            ) from err
        except (UnicodeEncodeError, httpx2.LocalProtocolError) as err:
            if "header" not in str(err) and not isinstance(err, UnicodeEncodeError):
                raise
            # From None: what cannot be written is a key, and the library's words repeat it.
            log.warning("a request to %s cannot be written: %s", self.service, type(err).__name__)
            raise ConfigurationError(
                f"The credentials of {self.service} have characters that no request can carry.",
                hint="Write them anew, without line breaks, accents and other scripts.",
            ) from None

    def _open(self, http_request: HttpRequest) -> AbstractAsyncContextManager[httpx2.Response]:
        """The open answer; a body is written compactly and without escapes, as vendors' samples do."""
        import httpx2

        headers, content = dict(http_request.headers or {}), http_request.content
        if http_request.body is not None:
            text = json.dumps(http_request.body, ensure_ascii=False, separators=(",", ":"))
            # A lone surrogate in a caller's text cannot be encoded; as "?" it is no reason to fail.
            content = text.encode(errors="replace")
            headers.setdefault("Content-Type", "application/json")
        url = self._connections.locate(http_request.path)
        return self._connections.choose(url).stream(
            http_request.method,
            url,
            params=dict(http_request.query) if http_request.query else None,
            headers=headers,
            content=content,
            data=dict(http_request.form) if http_request.form else None,
            files=http_request.files or None,
            timeout=httpx2.Timeout(http_request.read_timeout_s, connect=CONNECT_TIMEOUT_S),
        )

    def _log_response(self, http_request: HttpRequest, response: HttpResponse, *, took_s: float) -> None:
        extra = {
            "service": self.service,
            "method": http_request.method,
            "path": http_request.get_public_path(),
            "status": response.status,
            "took_s": round(took_s, 3),
        }
        log.debug("upstream answered", extra=extra)

    async def _read_body(self, http_request: HttpRequest, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        async for part in response.aiter_bytes():
            size_bytes += len(part)
            # Counted as it comes: a length in the header may be missing or wrong.
            if size_bytes > MAX_RESPONSE_BYTES:
                raise self.build_unreadable_error(http_request)
            parts.append(part)
        return b"".join(parts)

    def _build_connection_error(self, http_request: HttpRequest, err: httpx2.RequestError) -> TransientError:
        """What a transport error means: whether the request can have arrived."""
        import httpx2

        # The request has not left in any of these; for everything else the service may have read it.
        if isinstance(err, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError):
            return self._build_unreachable_error()
        if http_request.is_submit:
            return SubmitUnconfirmed(
                f"The connection to {self.service} broke after the job was sent; whether it was accepted is unknown."
            )
        problem = "did not answer in time" if isinstance(err, httpx2.TimeoutException) else "broke the connection"
        return ProviderUnavailable(f"{self.service} {problem}.", hint="Try again later.")

    def _build_unreachable_error(self) -> ProviderUnavailable:
        """Nothing answers at the address. It holds no secret: keys are headers."""
        if not self._address_variable:
            return ProviderUnavailable(f"No connection to {self.service} could be made.", hint="Try again later.")
        hint = f"Start it, or correct {self._address_variable}."
        return ProviderUnavailable(f"No connection to {self.service} at {self.host} could be made.", hint=hint)

    def _refuse_redirect(self, http_request: HttpRequest, response: HttpResponse) -> None:
        # "See other" is said after the work: the submit was taken, and its answer is elsewhere.
        if response.status == 303 and http_request.is_submit:
            raise self.build_unreadable_error(http_request)
        if response.status in (301, 302, 303, 307, 308):
            raise ConfigurationError(f"{self.service} answers with a redirect: check its base address.")

    def _build_status_check(self, http_request: HttpRequest) -> Callable[[HttpResponse], None]:
        """By status alone, for services without an error format of their own."""

        def check_response(response: HttpResponse) -> None:
            error = build_status_error(
                response,
                service=self.service,
                reason=self.quote(response.get_plain_text()),
                is_submit=http_request.is_submit,
                retry_after_s=response.get_retry_after_s(self.clock),
            )
            if error is not None:
                raise error

        return check_response

    def _get_retry_delay_s(self, err: Exception) -> bool | float:
        """Whether, and if the service says, after how long to try again."""
        if not isinstance(err, _RetryableError):
            return False
        after_s = err.error.retry_after_s
        if after_s is None:
            return True
        # Jitter on top: several calls that were told the same time must not all come back at once.
        return after_s + self._rng.uniform(0, 0.5) if after_s <= MAX_RETRY_WAIT_S else False


class _RetryableError(Exception):
    """Carries an error past the retry loop, whose log lines show this class and not its words."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def _lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
