"""From settings to a Miaohua account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.miaohua.spec import MiaohuaSettings


def create(settings: MiaohuaSettings, context: ProviderContext) -> MiaohuaProvider:
    """The account; nothing is opened yet."""
    return MiaohuaProvider(
        email=settings.email,
        password=settings.password.get_secret_value(),
        base_url=settings.base_url,
        clock=context.clock,
        is_local=is_loopback_url(settings.base_url),
        is_emulated=context.is_emulated,
        sensitive_limit=settings.sensitive_limit,
        data_folder=context.data_folder,
    )
