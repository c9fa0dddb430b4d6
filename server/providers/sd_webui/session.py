"""Requests to one WebUI: credentials at once, refusals read, and one sentence where nothing answers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.faults import build_response_check
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_webui.errors import START_HINT, SdWebuiFaultTable, SdWebuiRejection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse


class SdWebuiSession:
    """The requests of one account."""

    def __init__(self, client: UpstreamClient, *, user: str, password: str, timeout_s: float) -> None:
        """Send by ``client``; ``timeout_s`` is how long a call that works may take.

        Credentials go with every request: the challenge that would ask for them is not sent (contract:
        errors.no_header), and extensions that need none do not mind (contract: auth.extensions).
        """
        self.client = client
        self._faults = SdWebuiFaultTable(client)
        self._timeout_s = timeout_s
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"} if user else {}
        if user:
            # The password in another spelling: a server that says its headers back must not show it.
            client.remember_secret(token)

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """The answer's JSON; None for null. Raises ``SdWebuiRejection`` and any ``AtelierError``."""
        return (await self._send(HttpRequest("GET", path, query=query, headers=self._headers))).json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for a call that makes nothing and may be repeated."""
        return (await self._send(HttpRequest("POST", path, body=body, headers=self._headers))).json()

    async def submit(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a call that works, sent once: an object.

        Raises ``SubmitUnconfirmed`` where the answer was lost or makes no sense.
        """
        http_request = HttpRequest(
            "POST", path, is_submit=True, body=body, headers=self._headers, read_timeout_s=self._timeout_s
        )
        document = (await self._send(http_request)).json()
        if not isinstance(document, dict):
            raise self.client.build_unreadable_error(http_request)
        return document  # pyright: ignore[reportUnknownVariableType]  # JSON

    async def find(self, path: str) -> Any:
        """The answer's JSON; None where this server has no such route."""
        try:
            return await self.get(path)
        except SdWebuiRejection as err:
            if err.fault.is_route_missing:
                return None
            raise

    def build_unreadable_error(self) -> Exception:
        """For an answer to a submit that is not what it should be."""
        return self.client.build_unreadable_error(HttpRequest("POST", "", is_submit=True))

    async def _send(self, http_request: HttpRequest) -> HttpResponse:
        try:
            check_response = build_response_check(self._faults, http_request)
            return await self.client.request(http_request, check_response=check_response)
        except ProviderUnavailable as err:
            if _is_unreachable(err):
                message = f"No WebUI answers at {self.client.host}."
                raise ProviderUnavailable(message, hint=START_HINT) from err
            raise


def _is_unreachable(error: ProviderUnavailable) -> bool:
    """Whether no connection was made, so that nothing can have been asked."""
    import httpx2

    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
