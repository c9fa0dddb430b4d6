"""All calls of the later generation together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.base_trainings import BaseTrainingCalls
from atelier_mcp.server.providers.sd_aws.restful.endpoints import RestfulEndpointCalls
from atelier_mcp.server.providers.sd_aws.restful.inferences import RestfulInferenceCalls
from atelier_mcp.server.providers.sd_aws.restful.lora_trainings import LoraTrainingCalls
from atelier_mcp.server.providers.sd_aws.wire import get_text

if TYPE_CHECKING:
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class RestfulCommonCalls(RestfulInferenceCalls, RestfulEndpointCalls):
    """What is alike in every version."""

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        return get_text(await self._request(HttpRequest("GET", "/ping")), "message")

    async def get_storage_link(self, key: str) -> str:  # noqa: ARG002  # the protocol's signature
        """There is no such call."""
        return ""


class EarlyRestfulDialect(RestfulCommonCalls, BaseTrainingCalls):
    """v1.4, as ``dialect.Dialect`` describes it."""

    def limit_by(self, rate_limit: RequestLimiter) -> EarlyRestfulDialect:
        """The same deployment, asked at the pace of ``rate_limit``."""
        return EarlyRestfulDialect(self._middleware.limit_by(rate_limit), self._version)


class RestfulDialect(RestfulCommonCalls, LoraTrainingCalls):
    """v1.5 and later, as ``dialect.Dialect`` describes it."""

    def limit_by(self, rate_limit: RequestLimiter) -> RestfulDialect:
        """The same deployment, asked at the pace of ``rate_limit``."""
        return RestfulDialect(self._middleware.limit_by(rate_limit), self._version, drafts=self._drafts)
