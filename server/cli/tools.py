"""``atelier tools``: what an agent sees."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.cli.tool_schemas import (
    add_bounds,
    build_example,
    find_tool,
    format_allowed_values,
    format_call,
    iterate_arguments,
    list_tools,
    read_bounds,
)

if TYPE_CHECKING:
    import argparse

    import mcp_types as types

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the tools with their arguments, or one of them with what each argument is."""
    tools = asyncio.run(list_tools(settings))
    if arguments.tool:
        tools = [find_tool(arguments.tool, tools, settings)]
    if arguments.json:
        print_json([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
    elif arguments.tool:
        _print_tool(tools[0])
    else:
        _print_tools(tools, settings)
    return 0


def _print_tools(tools: list[types.Tool], settings: Settings) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("tool", "arguments", "what it does", box=None, pad_edge=False)
    for tool in tools:
        names = ", ".join(tool.input_schema.get("properties", {}))
        table.add_row(tool.name, Text(names), Text((tool.description or "").split("\n")[0]))
    console = Console()
    console.print(table)
    if off := _list_off_toolsets(settings):
        console.print(Text(f"Off: {', '.join(off)}. ATELIER_TOOLSETS names those that are on, or all."), soft_wrap=True)


def _list_off_toolsets(settings: Settings) -> list[str]:
    """The toolsets that are off, with how many tools each has."""
    from collections import Counter

    from atelier_mcp.server import registry

    definitions = registry.discover().definitions
    on = set(settings.toolsets)
    off = [
        d.toolset
        for d in definitions
        if "all" not in on and (d.toolset not in on if on else d.toolset not in registry.DEFAULT_TOOLSETS)
    ]
    return [f"{name} ({count} tools)" for name, count in Counter(off).items()]


def _print_tool(tool: types.Tool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    console.print(Text(f"{tool.name}: {' '.join((tool.description or '').split())}"))
    console.print()
    table = Table("argument", "what it is", "allowed", box=None, pad_edge=False)
    for path, is_required, schema in iterate_arguments(add_bounds(tool.input_schema, read_bounds(tool.name))):
        name = Text(f"{path} *" if is_required else path)
        table.add_row(name, Text(schema.get("description", "")), Text(format_allowed_values(schema)))
    console.print(table)
    console.print()
    # Unbroken, so that it can be copied whole.
    console.print(Text(f"  {format_call(tool.name, build_example(tool.name, tool.input_schema))}"), soft_wrap=True)
