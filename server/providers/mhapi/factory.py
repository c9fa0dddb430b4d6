"""From settings to an MHAPI account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.mhapi.spec import MhapiSettings


def create(settings: MhapiSettings, context: ProviderContext) -> MhapiProvider:
    """The account; nothing is opened yet."""
    return MhapiProvider(
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        base_url=settings.base_url,
        clock=context.clock,
        is_local=is_loopback_url(settings.base_url),
        is_emulated=context.is_emulated,
    )
