"""Requests that carry a token: signed, sent, and signed anew once where the service refuses the token."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AuthenticationFailed
from atelier_mcp.server.providers.faults import Rejection, build_response_check

if TYPE_CHECKING:
    from atelier_mcp.server.providers.faults import FaultTable
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class SignedSession(ABC):
    """One account's requests. A subclass knows how a token is got and where in a request it stands."""

    def __init__(self, client: UpstreamClient, faults: FaultTable[Any]) -> None:
        """Send through ``client`` and read refusals by ``faults``; nothing is asked yet."""
        self.client = client
        self._faults = faults

    @abstractmethod
    async def get_token(self, *, rejected_token: str = "") -> str:
        """A token; with ``rejected_token`` never that one again."""

    @abstractmethod
    def build_token_fields(self, http_request: HttpRequest, token: str) -> dict[str, Any]:
        """The fields of ``HttpRequest`` that hold the token, with all else that they hold."""

    async def send(self, http_request: HttpRequest, *, rate_limit: RequestLimiter | None = None) -> Any:
        """The answer's JSON. Raises ``Rejection`` for a refusal and an ``AtelierError`` otherwise.

        ``rate_limit`` counts the requests instead of the account's own limit.
        """
        check_response = build_response_check(self._faults, http_request)
        token = await self.get_token()
        try:
            response = await self.client.request(
                replace(http_request, **self.build_token_fields(http_request, token)),
                check_response=check_response,
                rate_limit=rate_limit,
            )
        except AuthenticationFailed:
            # the request was certainly not accepted, a submit neither; a second refusal means the credentials
            token = await self.get_token(rejected_token=token)
            response = await self.client.request(
                replace(http_request, **self.build_token_fields(http_request, token)),
                check_response=check_response,
                rate_limit=rate_limit,
            )
        return self.client.parse_json(http_request, response)

    async def send_unsigned(self, http_request: HttpRequest) -> Any:
        """The same without a token, for what anybody may ask."""
        check_response = build_response_check(self._faults, http_request)
        response = await self.client.request(http_request, check_response=check_response)
        return self.client.parse_json(http_request, response)

    async def request(self, http_request: HttpRequest) -> Any:
        """As ``send``, with a refusal as our error."""
        try:
            return await self.send(http_request)
        except Rejection as err:
            raise err.error from None
