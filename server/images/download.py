"""Fetch pictures from links that strangers wrote.

A link may lead only to the public internet, also after a redirect and also when its name changes its address between
the check and the connection: the address that was checked is the one connected to. Sizes and times are bounded. Query
strings stay out of messages and logs, since they may be signatures.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import AtelierError, ImageRefused, ProviderUnavailable
from atelier_mcp.server.images.guarded_pools import GuardedPools, Route
from atelier_mcp.server.images.host_addresses import resolve_host
from atelier_mcp.server.images.network_route import build_unproxied_hint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import httpcore2
    from httpcore2 import AsyncNetworkBackend, Response
    from httpx2 import URL

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.host_addresses import Resolver

log: logging.Logger = logging.getLogger(__name__)

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONNECT_TIMEOUT_S = 10.0
_RETRY_DELAYS_S = (0.25, 1.0)
_HEADERS = (
    ("Accept", "image/*,*/*;q=0.5"),
    ("Accept-Encoding", "identity"),  # what arrives is then what is counted: no small body unpacks to a large one
    ("User-Agent", "atelier"),
)


def redact_url(url: str) -> str:
    """A link as it may be shown: without the query, the fragment and the credentials it may carry."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the link"
    path = parts.path if len(parts.path) <= 100 else f"{parts.path[:99]}…"
    return f"{parts.scheme}://{host}{port}{path}"


class Downloader:
    """Fetches pictures over kept connections, which are made on first need. Close it, or use it as a context."""

    def __init__(
        self,
        *,
        resolver: Resolver = resolve_host,
        network: AsyncNetworkBackend | None = None,
        retry_delays_s: Sequence[float] = _RETRY_DELAYS_S,
        allow_hosts: frozenset[str] = frozenset(),
        clock: Clock | None = None,
    ) -> None:
        """``retry_delays_s`` are the waits before a second, third, ... try; ``network`` opens the connections.

        ``allow_hosts`` may be read from by every ``fetch``, as those that it names itself.
        """
        self._pools = GuardedPools(resolver=resolver, network=network)
        self._retry_delays_s = retry_delays_s
        self._allow_hosts = allow_hosts
        self._clock = clock or SystemClock()

    async def __aenter__(self) -> Self:
        """Ready at once."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up the connections."""
        await self.close()

    async def close(self) -> None:
        """Give up the connections."""
        await self._pools.close()

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int = 50_000_000,
        timeout_s: float = 60,
        allow_hosts: frozenset[str] = frozenset(),
        is_own_result: bool = False,
    ) -> bytes:
        """The body behind an http or https link.

        ``allow_hosts`` names the hosts with their port (``127.0.0.1:4711``) that may have any address.
        ``is_own_result`` is set for what a service made for us: it comes by the route of the submit (see
        ``network_route``), and ``allow_hosts`` names the service itself.

        Raises ``ImageRefused`` for a link that may not be read or holds more than ``max_bytes``, ``DeadLink`` for one
        that leads nowhere, ``ConfigurationError`` for certificates that cannot be read, and ``ProviderUnavailable``
        when the other side fails three times or takes longer than ``timeout_s`` in all.
        """
        route = Route(allow_hosts | self._allow_hosts, is_own_result=is_own_result)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._fetch_with_retries(url, max_bytes, route)
        except TimeoutError as err:
            raise ProviderUnavailable(
                f"{redact_url(url)} did not deliver the picture within {timeout_s:g} s.", hint="Try again later."
            ) from err

    async def _fetch_with_retries(self, url: str, max_bytes: int, route: Route) -> bytes:
        for delay_s in self._retry_delays_s:
            try:
                return await self._follow_redirects(url, max_bytes, route)
            except ProviderUnavailable as err:
                # What time can mend, and nothing else: a refused or dead link stays one.
                log.info("a download failed and is tried again", extra={"link": redact_url(url), "reason": err.message})
                await self._clock.sleep(delay_s)
        # The last try: its error is the caller's.
        return await self._follow_redirects(url, max_bytes, route)

    async def _follow_redirects(self, url: str, max_bytes: int, route: Route) -> bytes:
        current_url = _parse_url(url)
        for _ in range(MAX_REDIRECTS + 1):
            result = await self._get(current_url, max_bytes, route)
            if isinstance(result, bytes):
                return result
            current_url = _parse_url(result, current_url)
        raise ImageRefused(f"{redact_url(url)} redirects more than {MAX_REDIRECTS} times.", hint="Give the final link.")

    async def _get(self, url: URL, max_bytes: int, route: Route) -> bytes | str:
        """The body, or the place a redirect leads to."""
        import httpcore2

        pool = await self._pools.choose(url, route)
        # No timeout for a free connection: the download as a whole has one.
        timeouts = {"connect": _CONNECT_TIMEOUT_S, "read": 30.0, "write": 30.0, "pool": None}
        try:
            async with pool.stream(
                "GET", _to_raw_url(url), headers=_HEADERS, extensions={"timeout": timeouts}
            ) as response:
                location = _get_redirect_location(response)
                if location is not None:
                    return location
                _require_success(response, url)
                return await _read_body(response, url, max_bytes)
        except (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
            httpcore2.ProxyError,
        ) as err:
            raise ProviderUnavailable(
                f"{redact_url(str(url))} cannot be read: {_describe_network_error(err)}.",
                hint=_build_hint(url, route),
            ) from err


def _build_hint(url: URL, route: Route) -> str:
    hint = "Check the link, or try again later."
    return hint if route.is_own_result else build_unproxied_hint(str(url), hint)


class DeadLink(ImageRefused):
    """A link whose host answers, and says that there is nothing behind it, or nothing for us."""


def _parse_url(link: str, base: URL | str = "") -> URL:
    import httpx2

    try:
        parsed = httpx2.URL(base).join(link.strip()) if base else httpx2.URL(link.strip())
    except httpx2.InvalidURL as err:
        raise ImageRefused("The link is not a valid URL.", hint="Give a full http or https link.") from err
    # Of redirects too: they may lead to file: or ftp:.
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ImageRefused(
            f"{redact_url(str(parsed))} is not an http or https link.", hint="Give a full http or https link."
        )
    return parsed


def _to_raw_url(url: URL) -> httpcore2.URL:
    import httpcore2

    return httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _get_header(response: Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _get_redirect_location(response: Response) -> str | None:
    return _get_header(response, b"location") if response.status in _REDIRECTS else None


def _require_success(response: Response, url: URL) -> None:
    if response.status == 200:
        return
    phrase = http.client.responses.get(response.status, "no known status")
    what = f"{redact_url(str(url))} answers {response.status} ({phrase}) instead of a picture."
    if response.status in (408, 429) or response.status >= 500:
        raise ProviderUnavailable(what, hint="Try again later.")
    raise DeadLink(what, hint="Check that the link is complete, public and has not expired.")


async def _read_body(response: Response, url: URL, max_bytes: int) -> bytes:
    # Refused before it is read; a body that is longer than it announced is noticed on the way.
    announced_length = _get_header(response, b"content-length") or ""
    if announced_length.isdecimal() and int(announced_length) > max_bytes:
        raise _build_too_large_error(url, max_bytes)
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise _build_too_large_error(url, max_bytes)
    return bytes(body)


def _build_too_large_error(url: URL, max_bytes: int) -> AtelierError:
    return ImageRefused(
        f"{redact_url(str(url))} holds more than {max_bytes / 1e6:g} MB, the most that is downloaded.",
        hint="Give a smaller picture.",
    )


def _describe_network_error(error: Exception) -> str:
    """Words for a network error: its own text may quote the request."""
    import httpcore2

    if isinstance(error, httpcore2.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpcore2.ProxyError):
        return "the proxy refused it"
    if isinstance(error, httpcore2.ConnectError):
        return "no connection"
    return "the connection broke"
