"""The emulator as a program of its own: ``atelier emulator --port N``, for anyone's client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.embedded import LOOPBACK, EmbeddedEmulator
from atelier_mcp.server.emulator.upstreams import collect_client_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.emulator.engine_calls import Engine
    from atelier_mcp.server.emulator.settings import EmulatorSettings


async def serve(
    settings: EmulatorSettings,
    engine: Engine,
    *,
    host: str = LOOPBACK,
    port: int,
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
    values = collect_client_settings(base_url)
    return "\n".join(f"export {name}={value}" for name, value in values.items())
