"""Requests of one ComfyUI: with its key, and with its refusals told from its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.comfyui.errors import NOT_FOUND, ComfyuiFaultTable, ComfyuiRejection
from atelier_mcp.server.providers.faults import build_response_check
from atelier_mcp.server.providers.web_socket import iterate_texts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class ComfyuiSession:
    """Sends what the operations and the poller ask."""

    def __init__(self, client: UpstreamClient, *, api_key: str = "", is_cloud: bool = False) -> None:
        """``api_key`` goes into Comfy Cloud's header; ``is_cloud`` says that the address is Comfy Cloud's."""
        self.client = client
        self.is_cloud = is_cloud
        # No Origin among them: with one a local server refuses (contract: auth.local).
        self._headers = {"X-API-Key": api_key} if api_key else {}
        self._faults = ComfyuiFaultTable(client)

    async def send(self, http_request: HttpRequest, *, rate_limit: RequestLimiter | None = None) -> Any:
        """The answer's JSON. Raises ``ComfyuiRejection`` for a refusal and an ``AtelierError`` otherwise."""
        return self.client.parse_json(http_request, await self.exchange(http_request, rate_limit=rate_limit))

    async def fetch(self, http_request: HttpRequest) -> bytes | None:
        """The answer's bytes; None for a file there is not. Raises as ``send``."""
        try:
            return (await self.exchange(http_request)).body
        except ComfyuiRejection as err:
            if err.fault.status == NOT_FOUND:
                return None
            raise

    async def exchange(self, http_request: HttpRequest, *, rate_limit: RequestLimiter | None = None) -> HttpResponse:
        """The answer, whatever its body: some calls answer with none. Raises as ``send``."""
        return await self.client.request(
            replace(http_request, headers=self._headers),
            check_response=build_response_check(self._faults, http_request),
            rate_limit=rate_limit,
        )

    def listen(self, http_request: HttpRequest) -> AsyncGenerator[str]:
        """The texts of a socket, as ``iterate_texts`` gives them."""
        return iterate_texts(self.client, replace(http_request, headers=self._headers))
