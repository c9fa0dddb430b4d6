"""HTTP with one upstream account: one pool, one pace, and a firm view of what may be repeated.

A read may be repeated. A submit may not, unless the upstream certainly refused it: the connection could not be made,
or the answer said "too fast". Whatever leaves that open is ``SubmitUnconfirmed``.

Nothing of a request but its method, path and status is logged: links are signed and bodies hold prompts.
"""

from __future__ import annotations

import json
import logging
import random
import re
import unicodedata
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    ConfigurationError,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
    TransientError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping

    import httpx2

    from atelier_mcp.server.providers.limits import Clock, TokenBucket

log = logging.getLogger(__name__)

ATTEMPTS = 3
PATIENCE_S = 10.0
"""The longest Retry-After that is waited for here; a longer one is for the caller to keep."""
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 96_000_000
"""Eight pictures of eight megabytes as base64, and room to spare."""
QUOTE_CHARS = 200
MOST_TOKENS = 8
LEAST_SECRET_CHARS = 6
"""Shorter ones are words, and striking them out would spoil every message."""
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON, or None where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def retry_after_s(self, clock: Clock) -> float | None:
        """The Retry-After header in seconds, given as a number or as a date."""
        text = self.headers.get("retry-after", "").strip()
        if not text:
            return None
        if text.replace(".", "", 1).isdigit():
            return float(text)
        return _seconds_until(text, clock)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, before it is signed."""

    method: str
    path: str
    """Relative to the account's base address, or a whole link."""
    submit: bool = False
    """True when repeating it could make and charge a second job."""
    query: Mapping[str, str | int] | None = None
    body: Any = None
    """Sent as JSON."""
    headers: Mapping[str, str] | None = None
    content: bytes | AsyncIterable[bytes] | None = None
    """Sent as it is; what is iterated over must begin anew each time, since a call may be sent again."""
    form: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes, str]] | None = None
    """Multipart parts by name: file name, bytes, media type."""
    read_timeout_s: float = READ_TIMEOUT_S


class Account:
    """The connections of one set of credentials."""

    def __init__(
        self,
        *,
        service: str,
        base_url: str,
        clock: Clock,
        pace: TokenBucket,
        secrets: tuple[str, ...] = (),
        local: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Hold the address; nothing is opened before the first request.

        ``service`` is the name errors use, ``secrets`` are struck out of whatever the service says, ``local`` is set
        for a service on this machine, which no proxy of the environment is for, ``transport`` replaces the network.
        Raises ``ConfigurationError`` for an address without http or https.
        """
        if not base_url.startswith(("https://", "http://")):
            raise ConfigurationError(f"The base address of {service} must begin with https:// or http://.")
        self.service = service
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._pace = pace
        self._secrets = tuple(secret for secret in secrets if len(secret) >= LEAST_SECRET_CHARS)
        self._hidden: deque[str] = deque(maxlen=MOST_TOKENS)
        self._local = local
        self._transport = transport
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret
        self._client: httpx2.AsyncClient | None = None

    async def request(
        self,
        call: Call,
        *,
        judge: Callable[[Answer], None] | None = None,
        pace: TokenBucket | None = None,
    ) -> Answer:
        """Send, and repeat what may be repeated; ``judge`` raises for the answers that are refusals.

        ``judge`` may raise anything. ``RateLimited`` and ``ProviderUnavailable`` mean that the request was certainly
        not accepted: it is repeated, up to three attempts in all. Raises these two, ``ConfigurationError`` for a
        redirect, and for a submit ``SubmitUnconfirmed``.
        """
        import stamina

        attempts = stamina.retry_context(
            on=self._wait_s, attempts=ATTEMPTS, timeout=4 * PATIENCE_S, wait_initial=0.25, wait_max=2, wait_jitter=0.5
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._once(call, judge or self._judge(call), pace or self._pace)
        except _Again as again:
            raise again.error from again.__cause__
        raise AssertionError("stamina yields at least one attempt")

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncGenerator[httpx2.Response]:
        """The open answer of one attempt; nothing is repeated.

        Raises as ``request`` does while the answer begins; a connection that breaks later raises ``SubmitUnconfirmed``
        for a submit and ``ProviderUnavailable`` for a read.
        """
        import httpx2

        await self._pace.take()
        try:
            async with self._open().stream(**self._arguments(call)) as response:
                yield response
        except httpx2.RequestError as err:
            raise self._fault(call, err) from err

    async def close(self) -> None:
        """Give up the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def hide(self, secret: str) -> None:
        """Strike out a token the service gave, too; of such the last few are remembered."""
        if len(secret) >= LEAST_SECRET_CHARS:
            self._hidden.append(secret)

    def quote(self, text: object) -> str:
        """What the service said, marked as its words: no control characters, links' queries, keys or tokens."""
        return f'{self.service} says: "{self.clean(text)}"' if text else f"{self.service} gave no reason."

    def clean(self, text: object, *, most_chars: int = QUOTE_CHARS) -> str:
        """The service's words for showing: one line of at most ``most_chars`` characters without secrets."""
        line = _one_line(str(text))
        for secret in (*self._secrets, *self._hidden):
            line = line.replace(secret, "[secret]")
        line = _QUERY.sub(r"\1?...", _TOKEN.sub("[token]", line)).replace('"', "'")
        return line if len(line) <= most_chars else line[: most_chars - 1] + "…"

    def unreadable(self, call: Call) -> TransientError:
        """The error for an answer that makes no sense."""
        if call.submit:
            return SubmitUnconfirmed(f"{self.service} answered the submit with something unreadable.")
        return ProviderUnavailable(f"{self.service} answered with something unreadable.")

    def failing(self, call: Call, answer: Answer) -> TransientError:
        """The error for a fault inside the service: a submit may have been accepted before it."""
        if call.submit:
            return SubmitUnconfirmed(f"{self.service} answered the submit with HTTP {answer.status}.")
        return ProviderUnavailable(
            f"{self.service} answers with HTTP {answer.status}.",
            then="Try again later.",
            retry_after_s=answer.retry_after_s(self._clock),
        )

    async def _once(self, call: Call, judge: Callable[[Answer], None], pace: TokenBucket) -> Answer:
        await pace.take()
        answer = await self._exchange(call)
        try:
            self._refuse_redirect(answer)
            judge(answer)
        except (RateLimited, ProviderUnavailable) as err:
            raise _Again(err) from None
        return answer

    async def _exchange(self, call: Call) -> Answer:
        import httpx2

        began_s = self._clock.monotonic()
        try:
            async with self._open().stream(**self._arguments(call)) as response:
                body = await self._read(call, response)
        except httpx2.RequestError as err:
            fault = self._fault(call, err)
            raise (fault if isinstance(fault, SubmitUnconfirmed) else _Again(fault)) from err
        extra = {"service": self.service, "method": call.method, "path": _path(call.path)}
        log.debug(
            "upstream answered",
            extra={**extra, "status": response.status_code, "took_s": round(self._clock.monotonic() - began_s, 3)},
        )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body)

    async def _read(self, call: Call, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        async for part in response.aiter_bytes():
            size_bytes += len(part)
            if size_bytes > MAX_ANSWER_BYTES:
                raise self.unreadable(call)
            parts.append(part)
        return b"".join(parts)

    def _arguments(self, call: Call) -> dict[str, Any]:
        """What httpx2 is called with; a body is written compactly and without escapes, as the vendor's samples do."""
        import httpx2

        headers = dict(call.headers or {})
        content = call.content
        if call.body is not None:
            content = json.dumps(call.body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
            headers.setdefault("Content-Type", "application/json")
        return {
            "method": call.method,
            "url": call.path if "://" in call.path else self._base_url + call.path,
            "params": dict(call.query) if call.query else None,
            "headers": headers,
            "content": content,
            "data": dict(call.form) if call.form else None,
            "files": dict(call.files) if call.files else None,
            "timeout": httpx2.Timeout(call.read_timeout_s, connect=CONNECT_TIMEOUT_S),
        }

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            # its INFO lines hold whole links, signatures included
            logging.getLogger("httpx2").setLevel(logging.WARNING)
            self._client = httpx2.AsyncClient(
                transport=self._transport,
                follow_redirects=False,
                trust_env=not self._local,
                limits=httpx2.Limits(max_connections=100, max_keepalive_connections=10, keepalive_expiry=5),
            )
        return self._client

    def _fault(self, call: Call, err: httpx2.RequestError) -> TransientError:
        """What a transport error means: whether the request can have arrived."""
        import httpx2

        if isinstance(err, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.ProxyError):
            return ProviderUnavailable(f"No connection to {self.service} could be made.", then="Try again later.")
        if call.submit:
            return SubmitUnconfirmed(
                f"The connection to {self.service} broke after the job was sent; whether it was accepted is unknown."
            )
        word = "did not answer in time" if isinstance(err, httpx2.TimeoutException) else "broke the connection"
        return ProviderUnavailable(f"{self.service} {word}.", then="Try again later.")

    def _refuse_redirect(self, answer: Answer) -> None:
        if answer.status in (301, 302, 303, 307, 308):
            raise ConfigurationError(f"{self.service} answers with a redirect: check its base address.")

    def _judge(self, call: Call) -> Callable[[Answer], None]:
        """By status alone, for services without an error format of their own."""

        def judge(answer: Answer) -> None:
            if answer.status == 429:
                raise RateLimited(f"{self.service} is asked too fast.", retry_after_s=answer.retry_after_s(self._clock))
            if answer.status >= 500:
                raise self.failing(call, answer)

        return judge

    def _wait_s(self, err: Exception) -> bool | float:
        """Whether, and if the service says, after how long to try again."""
        if not isinstance(err, _Again):
            return False
        after_s = err.error.retry_after_s
        if after_s is None:
            return True
        return after_s + self._rng.uniform(0, 0.5) if after_s <= PATIENCE_S else False


class _Again(Exception):
    """Carries an error past the retry loop, whose log lines show this class and not its words."""

    def __init__(self, error: TransientError) -> None:
        super().__init__(type(error).__name__)
        self.error = error


def _one_line(text: str) -> str:
    """No control, format or private characters; runs of white space become one space."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())


def _path(path: str) -> str:
    """Without host and query."""
    return re.sub(r"^https?://[^/]+", "", path).partition("?")[0]


def _seconds_until(date: str, clock: Clock) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(date) - clock.now()).total_seconds())
    except (TypeError, ValueError):
        return None
