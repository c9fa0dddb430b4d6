"""``atelier tools``: what an agent sees."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.cli import _client
from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    import argparse

    import mcp_types as types

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the tools with their arguments, or one of them with what each argument is."""
    tools = asyncio.run(_list_tools(settings))
    if arguments.tool:
        tools = [tool for tool in tools if tool.name == arguments.tool]
        if not tools:
            raise InvalidRequest(f"There is no tool {arguments.tool!r}.", hint="atelier tools lists them.")
    if arguments.json:
        print(json.dumps([t.model_dump(mode="json", by_alias=True, exclude_none=True) for t in tools], indent=2))
        return 0
    if arguments.tool:
        _print_tool(tools[0])
        return 0
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("tool", "arguments", "what it does", box=None, pad_edge=False)
    for tool in tools:
        description = (tool.description or "").split("\n")[0]
        table.add_row(tool.name, ", ".join(tool.input_schema.get("properties", {})), escape(description))
    Console().print(table)
    return 0


def _print_tool(tool: types.Tool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"{tool.name}: {' '.join((tool.description or '').split())}", highlight=False, markup=False)
    table = Table("argument", "what it is", "allowed", box=None, pad_edge=False)
    required = tool.input_schema.get("required", [])
    for name, schema in tool.input_schema.get("properties", {}).items():
        described = escape(schema.get("description", "")), escape(_format_allowed_values(schema))
        table.add_row(f"{name} *" if name in required else name, *described)
    console.print(table)


def _format_allowed_values(schema: dict[str, Any]) -> str:
    """Type, bounds and default in a few words."""
    if "enum" in schema:
        kind = ", ".join(map(str, schema["enum"]))
    else:
        low, high = schema.get("minimum"), schema.get("maximum")
        kind = schema.get("type", "") + (f" {low:g} to {high:g}" if low is not None and high is not None else "")
    return f"{kind} (default {schema['default']})" if "default" in schema else kind


async def _list_tools(settings: Settings) -> list[types.Tool]:
    async with _client.open_client(settings) as client:
        return (await client.list_tools()).tools
