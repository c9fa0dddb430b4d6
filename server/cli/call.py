"""``atelier call TOOL key=value ...``: one tool from the shell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from atelier_mcp.server.cli import _client
from atelier_mcp.server.cli.call_arguments import parse_pairs, read_source, read_value
from atelier_mcp.server.cli.images import open_files, show_images
from atelier_mcp.server.cli.tool_schemas import find_tool
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse

    import mcp_types as types

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Call the tool and print its text and pictures, or its facts as JSON."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    # Before the bar and the server: what is wrong with them needs neither.
    pairs = parse_pairs(arguments.arguments)
    source = read_source(arguments.source) if arguments.source else {}
    with _client.show_progress(arguments.tool) as update:
        async with _client.open_client(settings) as client:
            tool = find_tool(arguments.tool, (await client.list_tools()).tools, settings)
            properties = tool.input_schema.get("properties", {})
            values = source | {name: read_value(name, text, properties.get(name, {})) for name, text in pairs.items()}
            result = await _client.call_tool(client, tool.name, values, update)
    print_result(result, arguments)
    return 0


def print_result(result: types.CallToolResult, arguments: argparse.Namespace) -> None:
    """The answer as it was asked for: text with its pictures, or JSON."""
    if arguments.json:
        _client.print_json(get_facts(result))
    else:
        print(_client.get_text(result))
        show_images(result, protocol=arguments.pictures)
    if arguments.open:
        open_files(find_paths(get_facts(result)))


def find_paths(facts: object) -> list[str]:
    """The files of the pictures in an answer, wherever in it they are told."""
    if isinstance(facts, list):
        return [path for item in cast("list[object]", facts) for path in find_paths(item)]
    if not isinstance(facts, dict):
        return []
    fields = cast("dict[str, object]", facts)
    own = [str(fields["path"])] if "handle" in fields and "path" in fields else []
    return own + [path for value in fields.values() for path in find_paths(value)]
