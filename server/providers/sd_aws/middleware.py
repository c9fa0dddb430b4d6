"""One deployment over HTTP: which version it is, the headers it wants, and its signed links."""

from __future__ import annotations

import asyncio
import re
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.errors import AtelierError, AuthenticationFailed, ProviderUnavailable
from atelier_mcp.server.providers.faults import build_response_check
from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse
from atelier_mcp.server.providers.sd_aws.errors import SdAwsFault, SdAwsFaultTable, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.versions import V1_3, V1_4, V1_5, V1_7, parse_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.rate_limit import RequestLimiter
    from atelier_mcp.server.providers.sd_aws.versions import MiddlewareVersion

MAX_PARAMETER_FILE_BYTES = 2_000_000
NOT_YET = frozenset({403, 404})
"""What the storage says to a link whose file was not written yet (contract: answered.output_link)."""

_MISSING_FILE = re.compile(rb"<Code>\s*(NoSuchKey|AccessDenied)\s*</Code>")


@dataclass(slots=True)
class _Deployment:
    """What was found out about it."""

    version: MiddlewareVersion | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class MiddlewareClient:
    """Calls of one deployment."""

    def __init__(self, client: UpstreamClient, *, api_key: str, username: str) -> None:
        """Hold the credentials; nothing is asked yet."""
        self.client = client
        self.username = username
        self._api_key = api_key
        # Shared by the copies of limit_by, so that the version is asked once for all of them.
        self._deployment = _Deployment()
        self._rate_limit: RequestLimiter | None = None

    def limit_by(self, rate_limit: RequestLimiter) -> MiddlewareClient:
        """The same deployment, with calls that ``rate_limit`` counts instead of the account's own limit."""
        # A shallow copy: the HTTP client and what is known of the deployment stay the same objects.
        limited = copy(self)
        limited._rate_limit = rate_limit  # noqa: SLF001  # one of its own kind
        return limited

    async def get_version(self) -> MiddlewareVersion:
        """Which version is deployed, asked once (contract: versions.probe).

        Raises ``AuthenticationFailed`` when it does not take the key or is none, ``ConfigurationError`` for a redirect
        and ``TransientError`` when nobody answers.
        """
        # Without the lock every call of a cold start would probe the deployment by itself.
        async with self._deployment.lock:
            if self._deployment.version is None:
                self._deployment.version = await self._detect_version()
            return self._deployment.version

    async def send(self, http_request: HttpRequest, *, bare: bool = False, lenient: bool = False) -> Any:
        """The answer's JSON. Raises ``SdAwsRejection`` for a refusal and ``AtelierError`` otherwise.

        ``bare`` is for routes whose answers are no envelope; with ``lenient`` text and nothing at all are answers too.
        """
        version = await self.get_version()
        try:
            response = await self._send_once(http_request, version, bare=bare)
        except SdAwsRejection as err:
            if err.fault.is_missing_route:  # another version may have been deployed meanwhile: ask the next time
                self._deployment.version = None
            raise
        document = response.json()
        # null is an answer of its own (contract: create_endpoint.null_reply); what is no JSON is none.
        if document is not None or response.body.strip() == b"null":
            return document
        if not lenient:
            raise self.client.build_unreadable_error(http_request)
        return response.body.decode(errors="replace")

    async def request(self, http_request: HttpRequest, *, bare: bool = False, lenient: bool = False) -> Any:
        """The same with a refusal as our error."""
        try:
            return await self.send(http_request, bare=bare, lenient=lenient)
        except SdAwsRejection as err:
            raise err.error from None

    async def put(
        self, link: str, content: Any, *, size_bytes: int | None = None, media_type: str = ""
    ) -> HttpResponse:
        """Send a file, or a part of one, to a signed link: no API headers go with it (contract: conventions.content).

        ``content`` is bytes, or can be iterated over anew for each attempt; then ``size_bytes`` says how many.
        """
        headers = {"Content-Type": media_type} if media_type else {}
        if size_bytes is not None:
            headers["Content-Length"] = str(size_bytes)
        http_request = HttpRequest("PUT", link, content=content, headers=headers, read_timeout_s=300)
        return await self.client.request(http_request, check_response=self._build_check(http_request, bare=True))

    async def put_file(self, link: str, content: bytes, *, media_type: str = "") -> None:
        """Send a small file to a signed link. Raises ``ProviderUnavailable`` where the storage refuses it."""
        try:
            await self.put(link, content, media_type=media_type)
        except SdAwsRejection as err:
            raise ProviderUnavailable(
                f"The storage of {self.client.service} refuses a file (HTTP {err.fault.status}).", hint="Try again."
            ) from None

    async def download(self, link: str) -> Any:
        """A small JSON file behind a signed link; None while there is no such file."""
        http_request = HttpRequest("GET", link)
        try:
            response = await self.client.request(
                http_request, check_response=self._build_check(http_request, bare=True)
            )
        except SdAwsRejection as err:
            if err.fault.status in NOT_YET:
                return None
            raise
        # A parameter file repeats the source pictures in base64; 2 MB of it would drown an answer.
        if len(response.body) > MAX_PARAMETER_FILE_BYTES:
            raise ProviderUnavailable(f"{self.client.service} keeps a parameter file too large to be shown.")
        return response.json()

    async def has_file(self, link: str) -> bool:
        """Whether there is a file behind a fresh signed link; whatever else is wrong says nothing of that."""
        # GET, because the link is signed for it and a HEAD would be refused; the range keeps the file itself away.
        http_request = HttpRequest("GET", link, headers={"Range": "bytes=0-0"})
        try:
            response = await self.client.request(http_request, check_response=lambda _response: None)
        except AtelierError:
            return True
        # Only the storage's own words count: a web page of the same status is any gateway's.
        return response.status not in NOT_YET or not _MISSING_FILE.search(response.body)

    async def _send_once(self, http_request: HttpRequest, version: MiddlewareVersion, *, bare: bool) -> HttpResponse:
        headers = {**self._build_headers(), **(http_request.headers or {})}
        return await self.client.request(
            replace(http_request, headers=headers),
            check_response=self._build_check(http_request, bare=bare, version=version),
            rate_limit=self._rate_limit,
        )

    def _build_check(
        self, http_request: HttpRequest, *, bare: bool, version: MiddlewareVersion | None = None
    ) -> Callable[[HttpResponse], None]:
        return build_response_check(SdAwsFaultTable(self.client, bare=bare, version=version), http_request)

    def _build_headers(self) -> dict[str, str]:
        """The key, and the user in both ways, of which each version reads its own (contract: auth).

        A name that is not ASCII goes in no header as it is; every version takes the other one then.
        """
        headers = {"x-api-key": self._api_key, "Authorization": f"Bearer {self.username.encode().hex().upper()}"}
        return headers | ({"username": self.username} if self.username.isascii() else {})

    async def _detect_version(self) -> MiddlewareVersion:
        # v1.3 has no /ping, and the later versions have no test-connection (contract: versions).
        ping = await self._probe("/ping")
        if isinstance(ping, HttpResponse) and _get_message(ping) == "pong":
            return parse_version(ping.headers) or await self._detect_without_header(ping)
        test = await self._probe("/inference/test-connection")
        if isinstance(test, HttpResponse) and _get_message(test) == "Success":
            return V1_3
        raise self._build_unknown_error(ping, test)

    async def _detect_without_header(self, ping: HttpResponse) -> MiddlewareVersion:
        """By what else differs: the header of a list, ``debug`` in each answer, and who is refused without a user."""
        listed = await self._probe("/checkpoints")
        if isinstance(listed, HttpResponse) and (version := parse_version(listed.headers)):
            return version
        # Of the known versions only v1.7 adds `debug` to its answers (contract: versions).
        if "debug" in cast("dict[str, Any]", ping.json()):
            return V1_7
        # v1.4 wants Authorization and says 401 to a user in `username` alone; v1.5 reads it (contract: versions.probe).
        named = await self._probe("/checkpoints", {"x-api-key": self._api_key, "username": self.username})
        return V1_4 if isinstance(named, SdAwsFault) and named.status == 401 else V1_5

    async def _probe(self, path: str, headers: dict[str, str] | None = None) -> HttpResponse | SdAwsFault:
        http_request = HttpRequest("GET", path, headers=headers or self._build_headers())
        try:
            return await self.client.request(http_request, check_response=self._build_check(http_request, bare=True))
        except SdAwsRejection as err:
            return err.fault

    def _build_unknown_error(self, *answers: HttpResponse | SdAwsFault) -> AuthenticationFailed:
        # "No such path" to both probes means that the address is wrong; the key was not even looked at.
        is_routed = not all(isinstance(answer, SdAwsFault) and answer.is_missing_route for answer in answers)
        hint = "Check SD_AWS_API_KEY and SD_AWS_URL, which ends with its stage: .../prod."
        if not is_routed:
            hint = "Check SD_AWS_URL: it ends with its stage, .../prod."
        return AuthenticationFailed(
            f"{self.client.service} answers as none of the versions of its middleware.", hint=hint
        )


def _get_message(response: HttpResponse) -> str:
    document = response.json()
    return str(cast("dict[str, Any]", document).get("message", "")) if isinstance(document, dict) else ""
