"""From settings to a ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.providers.comfyui.provider import ComfyuiProvider

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.spec import ComfyuiSettings
    from atelier_mcp.server.providers.context import ProviderContext


def create(settings: ComfyuiSettings, context: ProviderContext) -> ComfyuiProvider:
    """The server at the address; nothing is asked of it yet, and it need not run."""
    return ComfyuiProvider(
        base_url=settings.url,
        api_key=settings.api_key.get_secret_value(),
        partner_key=settings.partner_key.get_secret_value(),
        default_checkpoint=settings.checkpoint,
        workflow_folder=settings.workflows,
        clock=context.clock,
        is_local=is_loopback_url(settings.url),
        is_emulated=context.is_emulated,
    )
