"""From settings to a deployment of the middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.sd_aws.spec import SdAwsSettings


def create(settings: SdAwsSettings, context: ProviderContext) -> SdAwsProvider:
    """The deployment; nothing is opened yet."""
    return SdAwsProvider(
        url=settings.url,
        api_key=settings.api_key.get_secret_value(),
        username=settings.username,
        folder=context.data_folder,
        clock=context.clock,
        endpoint=settings.endpoint,
        is_local=is_loopback_url(settings.url),
        is_emulated=context.is_emulated,
    )
