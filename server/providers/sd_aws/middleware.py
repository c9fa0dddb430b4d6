"""One deployment over HTTP: which generation it is, the headers that one wants, and its signed links."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from atelier_mcp.server.errors import AuthenticationFailed, ProviderUnavailable
from atelier_mcp.server.providers.faults import build_response_check
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.errors import SdAwsFaultTable, SdAwsRejection

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse
    from atelier_mcp.server.providers.rate_limit import RequestLimiter

Generation: TypeAlias = Literal["2023", "2024"]
FORMER_HEADER_STATUS = 401
"""What versions up to 1.4.0 of the later generation say to ``username``: they want Authorization."""
MAX_PARAMETER_FILE_BYTES = 2_000_000


@dataclass(slots=True)
class _Deployment:
    """What was found out about it."""

    generation: Generation | None = None
    uses_former_header: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class MiddlewareClient:
    """Calls of one deployment."""

    def __init__(self, client: UpstreamClient, *, api_key: str, username: str) -> None:
        """Hold the credentials; nothing is asked yet."""
        self.client = client
        self.username = username
        self._api_key = api_key
        self._deployment = _Deployment()
        self._rate_limit: RequestLimiter | None = None

    def limit_by(self, rate_limit: RequestLimiter) -> MiddlewareClient:
        """The same deployment, with calls that ``rate_limit`` counts instead of the account's own limit."""
        limited = copy(self)
        limited._rate_limit = rate_limit  # noqa: SLF001  # one of its own kind
        return limited

    async def get_generation(self) -> Generation:
        """Which generation is deployed, asked once (contract: appendix_generation_2.detection).

        Raises ``AuthenticationFailed`` when neither takes the key, ``ConfigurationError`` for a redirect and
        ``TransientError`` when nobody answers.
        """
        async with self._deployment.lock:
            if self._deployment.generation is None:
                self._deployment.generation = await self._detect_generation()
            return self._deployment.generation

    async def send(self, http_request: HttpRequest, *, bare: bool = False, lenient: bool = False) -> Any:
        """The answer's JSON. Raises ``SdAwsRejection`` for a refusal and ``AtelierError`` otherwise.

        ``bare`` is for routes whose answers are no envelope; with ``lenient`` text and nothing at all are answers too.
        """
        generation = await self.get_generation()
        try:
            response = await self._send_once(http_request, generation, bare=bare)
        except SdAwsRejection as err:
            is_known = generation != "2024" or self._deployment.uses_former_header
            if is_known or err.fault.status != FORMER_HEADER_STATUS:
                raise
            self._deployment.uses_former_header = True
            response = await self._send_once(http_request, generation, bare=bare)
        document = response.json()
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

    async def download(self, link: str) -> Any:
        """A small JSON file behind a signed link."""
        http_request = HttpRequest("GET", link)
        response = await self.client.request(http_request, check_response=self._build_check(http_request, bare=True))
        if len(response.body) > MAX_PARAMETER_FILE_BYTES:
            raise ProviderUnavailable(f"{self.client.service} keeps a parameter file too large to be shown.")
        return response.json()

    async def _send_once(self, http_request: HttpRequest, generation: Generation, *, bare: bool) -> HttpResponse:
        headers = {**self._build_headers(generation), **(http_request.headers or {})}
        return await self.client.request(
            replace(http_request, headers=headers),
            check_response=self._build_check(http_request, bare=bare),
            rate_limit=self._rate_limit,
        )

    def _build_check(self, http_request: HttpRequest, *, bare: bool) -> Callable[[HttpResponse], None]:
        return build_response_check(SdAwsFaultTable(self.client, bare=bare), http_request)

    def _build_headers(self, generation: Generation) -> dict[str, str]:
        """The key and the user: as hex for 2023 and the early versions after it, by name later (contract: auth)."""
        if generation == "2024" and not self._deployment.uses_former_header:
            return {"x-api-key": self._api_key, "username": self.username}
        return {"x-api-key": self._api_key, "Authorization": f"Bearer {self.username.encode().hex().upper()}"}

    async def _detect_generation(self) -> Generation:
        if await self._has_message("/ping", "pong", with_user=False):
            return "2024"
        if await self._has_message("/inference/test-connection", "Success", with_user=True):
            return "2023"
        raise AuthenticationFailed(
            f"{self.client.service} answers neither as the one nor as the other generation of its middleware.",
            hint="Check SD_AWS_API_KEY and SD_AWS_URL, which ends with its stage: .../prod.",
        )

    async def _has_message(self, path: str, message: str, *, with_user: bool) -> bool:
        """Whether a call is answered with the message; a refusal means that it is not."""
        headers = self._build_headers("2023") if with_user else {"x-api-key": self._api_key}
        http_request = HttpRequest("GET", path, headers=headers)
        try:
            response = await self.client.request(
                http_request, check_response=self._build_check(http_request, bare=True)
            )
        except SdAwsRejection:
            return False
        document = response.json()
        return isinstance(document, dict) and cast("dict[str, Any]", document).get("message") == message
