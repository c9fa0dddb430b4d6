"""``atelier emulator``: the stand-in of the image services, for anyone's client."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001  # the stand-in has settings of its own
    """Serve until told to stop; print what to export so that a client finds it."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.standalone import format_exports, serve
    from atelier_mcp.server.emulator.upstreams import parse_switches
    from atelier_mcp.server.engine.pool import EnginePool

    try:
        switches = parse_switches(arguments.set)
    except ValueError as err:
        print(f"--set: {err}", file=sys.stderr)
        return 2
    settings = EmulatorSettings(
        state_dir=Path(arguments.state) if arguments.state else None,
        access_log=Path(arguments.access_log) if arguments.access_log else None,
        task_seconds=arguments.task_seconds,
        guards_links=True,
        switches=switches,
    )

    def print_exports(base_url: str) -> None:
        # Alone on stdout and flushed at once: a script can read it while the emulator goes on.
        print(format_exports(base_url), flush=True)
        print(f"Emulator at {base_url}; stop it with Ctrl-C.", file=sys.stderr)

    async with EnginePool() as engine:
        await serve(settings, engine, host=arguments.host, port=arguments.port, on_ready=print_exports)
    return 0
