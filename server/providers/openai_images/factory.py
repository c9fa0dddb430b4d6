"""From settings to an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.openai_images.provider import OpenaiProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.openai_images.spec import OpenaiSettings


def create(settings: OpenaiSettings, context: ProviderContext) -> OpenaiProvider:
    """The endpoint; nothing is opened yet."""
    return OpenaiProvider(
        name=f"openai_images{settings.suffix}",
        api_key=settings.api_key.get_secret_value(),
        base_url=settings.base_url,
        model=settings.model,
        server=settings.server,
        clock=context.clock,
        is_local=is_loopback_url(settings.base_url),
        is_emulated=context.is_emulated,
    )
