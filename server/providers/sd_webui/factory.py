"""From settings to a WebUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.sd_webui.spec import SdWebuiSettings


def create(settings: SdWebuiSettings, context: ProviderContext) -> SdWebuiProvider:
    """The server; nothing is opened yet, and it need not run."""
    return SdWebuiProvider(settings, clock=context.clock, is_local=is_loopback_url(settings.url))
