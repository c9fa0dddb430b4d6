"""What the calls of the later generation have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http_messages import HttpRequest
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient

ASYNC = "Async"
REAL_TIME = "Real-time"
SUBMIT_TIMEOUT_S = 60.0


class RestfulCalls:
    """One deployment, asked in the manner of the later generation."""

    def __init__(self, middleware: MiddlewareClient) -> None:
        """Ask through ``middleware``."""
        self._middleware = middleware

    @property
    def _service(self) -> str:
        return self._middleware.client.service

    async def _request(self, http_request: HttpRequest) -> Any:
        return await self._middleware.request(http_request, lenient=http_request.method == "DELETE")
