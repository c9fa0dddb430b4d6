"""``atelier jobs``: what has been asked, newest first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.cli import _client
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the jobs."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    async with _client.open_client(settings) as client:
        result = await _client.call_tool(client, "list_jobs", {"limit": arguments.limit}, "jobs")
    if arguments.json:
        _client.print_json(get_facts(result))
    else:
        print(_client.get_text(result))
    return 0
