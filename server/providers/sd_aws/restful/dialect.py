"""All calls of the later generation together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.endpoints import RestfulEndpointCalls
from atelier_mcp.server.providers.sd_aws.restful.inferences import RestfulInferenceCalls
from atelier_mcp.server.providers.sd_aws.restful.trainings import RestfulTrainingCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    unwrap_object,
)

if TYPE_CHECKING:
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class RestfulDialect(RestfulInferenceCalls, RestfulEndpointCalls, RestfulTrainingCalls):
    """The later generation, as ``dialect.Dialect`` describes it."""

    def limit_by(self, rate_limit: RequestLimiter) -> RestfulDialect:
        """The same deployment, asked at the pace of ``rate_limit``."""
        return RestfulDialect(self._middleware.limit_by(rate_limit), drafts=self._drafts)

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        return str(unwrap_object({"a": await self._request(HttpRequest("GET", "/ping"))}, "a").get("message", ""))

    async def get_storage_link(self, key: str) -> str:  # noqa: ARG002  # the protocol's signature
        """There is no such call."""
        return ""
