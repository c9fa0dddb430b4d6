"""Requests to Miaohua with the account's token, and patience with its check of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.miaohua.errors import (
    IMAGE_CHECK_INTERVAL_S,
    IMAGE_IN_CHECK,
    MAX_IMAGE_CHECKS,
    MiaohuaFaultTable,
    MiaohuaRejection,
)
from atelier_mcp.server.providers.session import SignedSession

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest
    from atelier_mcp.server.providers.miaohua.auth import MiaohuaTokenCache


class MiaohuaSession(SignedSession):
    """One account's requests."""

    def __init__(self, client: UpstreamClient, token_cache: MiaohuaTokenCache) -> None:
        """Send through ``client`` with tokens from ``token_cache``."""
        super().__init__(client, MiaohuaFaultTable(client))
        self._token_cache = token_cache
        self.sends_token_as_part = False
        """True for a service that wants an upload's token as a part of the form (contract: upload_auth)."""

    async def get_token(self, *, rejected_token: str = "") -> str:
        """The account's token."""
        return await self._token_cache.get_token(rejected_token=rejected_token)

    def build_token_fields(self, http_request: HttpRequest, token: str) -> dict[str, Any]:
        """The body with the token, or for uploads the header or a part of the form (contract: auth)."""
        if http_request.files is None:
            return {"body": {"token": token, **http_request.body}}
        if self.sends_token_as_part:
            # a file part: the older reference lists it among the files (contract: upload_auth)
            token_part = ("token", token.encode(), "text/plain")
            return {"files": {**dict(http_request.files), "token": token_part}}
        return {"headers": {"Authorization": f"Bearer {token}"}}

    async def send_past_image_check(self, http_request: HttpRequest) -> Any:
        """As ``send``, asked again as long as the service is still checking an image: for a minute."""
        for _ in range(MAX_IMAGE_CHECKS):
            try:
                return await self.send(http_request)
            except MiaohuaRejection as err:
                if err.fault.code != IMAGE_IN_CHECK:
                    raise
                await self.client.clock.sleep(IMAGE_CHECK_INTERVAL_S)
        return await self.send(http_request)
