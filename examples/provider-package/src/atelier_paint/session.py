"""Requests of one account: with its key, and with Paint's refusals told from its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.faults import build_response_check
from atelier_paint.errors import PaintFaultTable

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class PaintSession:
    """Sends what the operations and the poller ask."""

    def __init__(self, client: UpstreamClient, api_key: str) -> None:
        """Send through ``client`` as the owner of ``api_key``."""
        self.client = client
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._faults = PaintFaultTable(client)

    async def send(self, http_request: HttpRequest, *, rate_limit: RequestLimiter | None = None) -> Any:
        """The answer's JSON. Raises ``PaintRejection`` for a refusal and an ``AtelierError`` otherwise."""
        response = await self.client.request(
            replace(http_request, headers=self._headers),
            check_response=build_response_check(self._faults, http_request),
            rate_limit=rate_limit,
        )
        return self.client.parse_json(http_request, response)
