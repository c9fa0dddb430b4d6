"""``atelier tools``: what an agent sees."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from atelier.server.cli import _client

if TYPE_CHECKING:
    import argparse

    import mcp_types as types

    from atelier.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the tools with their arguments."""
    tools = asyncio.run(_listed(settings))
    if arguments.json:
        print(json.dumps([t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in tools], indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("tool", "arguments", "what it does", box=None, pad_edge=False)
    for tool in tools:
        table.add_row(
            tool.name, ", ".join(tool.input_schema.get("properties", {})), (tool.description or "").split("\n")[0]
        )
    Console().print(table)
    return 0


async def _listed(settings: Settings) -> list[types.Tool]:
    async with _client.client(settings) as client:
        return (await client.list_tools()).tools
