"""``atelier emulator``: the stand-in of the image services, for anyone's client."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from atelier_mcp.server.cli.installation import format_install
from atelier_mcp.server.cli.usage import UsageError, build_listen_error
from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001  # the stand-in has settings of its own
    """Serve until told to stop; print what to export so that a client finds it."""
    if find_spec("cv2") is None or find_spec("numpy") is None:
        raise ConfigurationError(
            "The emulator draws with the built-in engine, which is not installed.", hint=format_install("engine")
        )
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.standalone import format_exports, serve
    from atelier_mcp.server.emulator.upstreams import parse_switches
    from atelier_mcp.server.engine.pool import EnginePool

    try:
        switches = parse_switches(arguments.set)
    except ValueError as err:
        raise UsageError(f"--set: {err}") from err
    settings = EmulatorSettings(
        state_dir=arguments.state,
        access_log=arguments.access_log,
        task_seconds=arguments.task_seconds,
        guards_links=True,
        switches=switches,
    )

    def print_exports(base_url: str) -> None:
        # Alone on stdout and flushed at once: a script can read it while the emulator goes on.
        print(format_exports(base_url), flush=True)
        print(f"Emulator at {base_url}; stop it with Ctrl-C.", file=sys.stderr)

    async with EnginePool() as engine:
        try:
            await serve(settings, engine, host=arguments.host, port=arguments.port, on_ready=print_exports)
        except OSError as err:
            raise build_listen_error(arguments.host, arguments.port, err) from err
    return 0
