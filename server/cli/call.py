"""``atelier call TOOL key=value ...``: one tool from the shell."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.cli import _client
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Call the tool and print its text, or its facts as JSON."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    tool_arguments = parse_arguments(arguments.arguments)
    async with _client.open_client(settings) as client:
        result = await _client.call_tool(client, arguments.tool, tool_arguments, arguments.tool)
    if arguments.json:
        _client.print_json(get_facts(result))
    else:
        print(_client.get_text(result))
    return 0


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """``key=value`` pairs as arguments: a value that reads as JSON is taken as such, anything else as text."""
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InvalidRequest(f"{pair!r} is not key=value.", hint="Write, for example: prompt='a red kite'")
        # "7" becomes a number; a text of digits is written with quotes of its own: prompt='"7"'.
        arguments[name] = _parse_value(value)
    return arguments


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
