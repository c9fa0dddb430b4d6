"""``atelier show img_...``: a picture with how it was made, or a job with its pictures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.cli import _client
from atelier_mcp.server.cli.call import print_result

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print it and show its pictures."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    if arguments.handle.startswith("job_"):
        tool, values = "wait_for_jobs", {"job_ids": [arguments.handle], "wait_s": 0}
    else:
        tool, values = "view_image", {"image": arguments.handle}
    async with _client.open_client(_client.with_library(settings)) as client:
        result = await _client.call_tool(client, tool, values)
    print_result(result, arguments)
    return 0
