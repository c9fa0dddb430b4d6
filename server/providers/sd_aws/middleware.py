"""One deployment over HTTP: which generation it is, the headers that one wants, and its signed links."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from atelier_mcp.server.errors import AuthenticationFailed, ProviderUnavailable
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.sd_aws.errors import Fault, Rejected, error_for, judge_for

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import Account, Answer
    from atelier_mcp.server.providers.limits import TokenBucket

Generation: TypeAlias = Literal["2023", "2024"]
FORMER_HEADER = 401
"""What versions up to 1.4.0 of the later generation say to ``username``: they want Authorization."""
MOST_DUMP_BYTES = 2_000_000


class Middleware:
    """Calls of one deployment."""

    def __init__(self, http: Account, *, api_key: str, username: str) -> None:
        """Hold the credentials; nothing is asked yet."""
        self.http = http
        self.username = username
        self._api_key = api_key
        self._generation: Generation | None = None
        self._detecting = asyncio.Lock()
        self._former = False

    async def generation(self) -> Generation:
        """Which generation is deployed, asked once (contract: appendix_generation_2.detection).

        Raises ``AuthenticationFailed`` when neither takes the key, ``ConfigurationError`` for a redirect and
        ``TransientError`` when nobody answers.
        """
        async with self._detecting:
            if self._generation is None:
                self._generation = await self._detected()
            return self._generation

    async def ask(
        self, call: Call, *, bare: bool = False, pace: TokenBucket | None = None, lenient: bool = False
    ) -> Any:
        """The answer's JSON. Raises ``Rejected`` for a refusal and ``AtelierError`` otherwise.

        ``bare`` is for routes whose answers are no envelope; with ``lenient`` text and nothing at all are answers too.
        """
        generation = await self.generation()
        try:
            answer = await self._sent(call, generation, bare=bare, pace=pace)
        except Rejected as err:
            if generation != "2024" or self._former or err.fault.status != FORMER_HEADER:
                raise
            self._former = True
            answer = await self._sent(call, generation, bare=bare, pace=pace)
        document = answer.json()
        if document is None and not lenient and answer.body.strip() != b"null":
            raise self.http.unreadable(call)
        return answer.body.decode(errors="replace") if document is None and answer.body.strip() != b"null" else document

    async def asked(self, call: Call, *, bare: bool = False, lenient: bool = False) -> Any:
        """The same with a refusal as our error."""
        try:
            return await self.ask(call, bare=bare, lenient=lenient)
        except Rejected as err:
            raise self.error(err, call) from None

    def error(self, err: Rejected, call: Call) -> Exception:
        """Our error for a refusal."""
        return error_for(err.fault, account=self.http, submit=call.submit)

    async def put(self, link: str, content: Any, *, size_bytes: int | None = None, media_type: str = "") -> Answer:
        """Send a file, or a part of one, to a signed link: no API headers go with it (contract: conventions.content).

        ``content`` is bytes, or can be iterated over anew for each attempt; then ``size_bytes`` says how many.
        """
        headers = {"Content-Type": media_type} if media_type else {}
        if size_bytes is not None:
            headers["Content-Length"] = str(size_bytes)
        call = Call("PUT", link, content=content, headers=headers, read_timeout_s=300)
        return await self.http.request(call, judge=judge_for(call, self.http, bare=True))

    async def download(self, link: str) -> Any:
        """A small JSON file behind a signed link."""
        call = Call("GET", link)
        answer = await self.http.request(call, judge=judge_for(call, self.http, bare=True))
        if len(answer.body) > MOST_DUMP_BYTES:
            raise ProviderUnavailable(f"{self.http.service} keeps a parameter file too large to be shown.")
        return answer.json()

    async def _sent(self, call: Call, generation: Generation, *, bare: bool, pace: TokenBucket | None) -> Answer:
        headed = replace(call, headers={**self._headers(generation), **(call.headers or {})})
        return await self.http.request(headed, judge=judge_for(call, self.http, bare=bare), pace=pace)

    def _headers(self, generation: Generation) -> dict[str, str]:
        """The key and the user: as hex for 2023 and the early versions after it, by name later (contract: auth)."""
        if generation == "2024" and not self._former:
            return {"x-api-key": self._api_key, "username": self.username}
        return {"x-api-key": self._api_key, "Authorization": f"Bearer {self.username.encode().hex().upper()}"}

    async def _detected(self) -> Generation:
        if await self._says("/ping", "pong", with_user=False):
            return "2024"
        if await self._says("/inference/test-connection", "Success", with_user=True):
            return "2023"
        raise AuthenticationFailed(
            f"{self.http.service} answers neither as the one nor as the other generation of its middleware.",
            then="Check SD_AWS_API_KEY and SD_AWS_URL, which ends with its stage: .../prod.",
        )

    async def _says(self, path: str, message: str, *, with_user: bool) -> bool:
        """Whether a call is answered with the message; a refusal means that it is not."""
        headers = self._headers("2023") if with_user else {"x-api-key": self._api_key}
        call = Call("GET", path, headers=headers)
        try:
            answer = await self.http.request(call, judge=judge_for(call, self.http, bare=True))
        except Rejected:
            return False
        document = answer.json()
        return isinstance(document, dict) and cast("dict[str, Any]", document).get("message") == message


def missing(what: str) -> Rejected:
    """For an answer without what it should hold."""
    return Rejected(Fault(400, f"the answer names no {what}", in_body=True))
