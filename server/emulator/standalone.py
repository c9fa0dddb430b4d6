"""The emulator as a program of its own: ``atelier emulator --port N``, for anyone's client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.accounts import (
    DEMO_ACCESS_KEY,
    DEMO_API_KEY,
    DEMO_EMAIL,
    DEMO_PASSWORD,
    DEMO_SECRET_KEY,
)
from atelier_mcp.server.emulator.embedded import LOOPBACK, EmbeddedEmulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.settings import EmulatorSettings

DEFAULT_PORT: Final = 8790


async def serve(
    settings: EmulatorSettings,
    engine: Engine,
    *,
    host: str = LOOPBACK,
    port: int = DEFAULT_PORT,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until cancelled; ``on_ready`` is told the base URL once requests are answered.

    Raises OSError for the port.
    """
    async with EmbeddedEmulator(engine, settings, host=host, port=port) as emulator:
        if on_ready is not None:
            on_ready(emulator.base_url)
        await asyncio.Event().wait()


def format_exports(base_url: str) -> str:
    """The shell lines that point a client at the emulator."""
    values = {
        "MHAPI_BASE_URL": f"{base_url}/mhapi",
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
        "MIAOHUA_BASE_URL": f"{base_url}/miaohua/api/v1b",
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "SENSENOVA_FUSION_URL": f"{base_url}/sensenova",
        "SENSENOVA_CHAT_URL": f"{base_url}/sensenova",
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SD_AWS_URL": f"{base_url}/sd_aws/prod",
        "SD_AWS_API_KEY": DEMO_API_KEY,
    }
    return "\n".join(f"export {name}={value}" for name, value in values.items())
