"""From settings to a SenseNova account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.sensenova.miaohua_tokens import TokenOwner, build_fixed_source
from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.context import ProviderContext
    from atelier_mcp.server.providers.sensenova.miaohua_tokens import MiaohuaTokenSource
    from atelier_mcp.server.providers.sensenova.spec import SensenovaSettings


def create(settings: SensenovaSettings, context: ProviderContext) -> SensenovaProvider:
    """The account; nothing is opened yet."""
    return SensenovaProvider(
        api_key=settings.api_key.get_secret_value(),
        fusion_url=settings.fusion_url,
        chat_url=settings.chat_url,
        clock=context.clock,
        miaohua_token=_find_token_source(settings, context),
        is_local=is_loopback_url(settings.fusion_url),
        is_emulated=context.is_emulated,
    )


def _find_token_source(settings: SensenovaSettings, context: ProviderContext) -> MiaohuaTokenSource | None:
    """What pays for images: the token that was given, else the Miaohua account's, so that both share one login."""
    if settings.miaohua_token:
        return build_fixed_source(settings.miaohua_token.get_secret_value())
    miaohua = context.find_provider("miaohua")
    return miaohua.token_cache.get_token if isinstance(miaohua, TokenOwner) else None
