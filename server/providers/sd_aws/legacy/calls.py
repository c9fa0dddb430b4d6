"""What the calls of 2023 have in common: bare answers beside enveloped ones, repeated parameters, part links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import DeploymentCalls
from atelier_mcp.server.providers.sd_aws.wire import parse_upload_links

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class LegacyCalls(DeploymentCalls):
    """One deployment, asked in the manner of 2023."""

    async def _request(self, http_request: HttpRequest) -> Any:
        return await self._middleware.request(http_request)

    async def _get_bare(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return await self._middleware.request(HttpRequest("GET", path, query=query), bare=True)

    def _get_part_links(self, document: Any, name: str, part_count: int) -> list[str]:
        """The part links; what is printed has none (contract: create_checkpoint.presign_shape)."""
        links = parse_upload_links(document).get(name, [])
        if len(links) != part_count:
            raise UpstreamFailed(f"{self._service} answered without links for the {part_count} parts of {name}.")
        return links


def add_query(path: str, **parameters: Sequence[str]) -> str:
    """The path with repeated parameters (contract: list_models.array_query)."""
    pairs = [f"{name}={quote(value, safe='')}" for name, values in parameters.items() for value in values]
    return f"{path}?{'&'.join(pairs)}" if pairs else path
