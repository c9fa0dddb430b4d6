"""All calls of 2023 together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.sd_aws.legacy.checkpoints import LegacyCheckpointCalls
from atelier_mcp.server.providers.sd_aws.legacy.endpoints import LegacyEndpointCalls
from atelier_mcp.server.providers.sd_aws.legacy.inferences import LegacyInferenceCalls
from atelier_mcp.server.providers.sd_aws.legacy.trainings import LegacyTrainingCalls
from atelier_mcp.server.providers.sd_aws.wire import get_text

if TYPE_CHECKING:
    from atelier_mcp.server.providers.rate_limit import RequestLimiter


class LegacyDialect(LegacyInferenceCalls, LegacyEndpointCalls, LegacyCheckpointCalls, LegacyTrainingCalls):
    """The generation of 2023, as ``dialect.Dialect`` describes it."""

    def limit_by(self, rate_limit: RequestLimiter) -> LegacyDialect:
        """The same deployment, asked at the pace of ``rate_limit``."""
        return LegacyDialect(self._middleware.limit_by(rate_limit), self._version)

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        return get_text(await self._get_bare("/inference/test-connection"), "message")

    async def get_storage_link(self, key: str) -> str:
        """A signed link for one file."""
        response = await self._get_bare("/inference/generate-s3-presigned-url-for-uploading", {"key": key})
        return response if isinstance(response, str) else ""
