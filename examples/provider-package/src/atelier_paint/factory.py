"""From the settings to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_paint.provider import PaintProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_paint.spec import PaintSettings


def create(settings: PaintSettings, context: ProviderContext) -> PaintProvider:
    """The provider that the spec announces, for these settings."""
    return PaintProvider(
        api_key=settings.api_key.get_secret_value(),
        base_url=settings.base_url,
        is_local=is_loopback_url(settings.base_url),
        clock=context.clock,
    )
