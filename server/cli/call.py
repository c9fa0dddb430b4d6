"""``atelier call TOOL key=value ...``: one tool from the shell."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.cli import _client
from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Call the tool and print its text, or its structured content as JSON."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    given = parsed(arguments.arguments)
    async with _client.client(settings) as client:
        result = await _client.call(client, arguments.tool, given, arguments.tool)
    if arguments.json:
        print(json.dumps(result.structured_content, indent=2, ensure_ascii=False))
    else:
        print(_client.text_of(result))
    return 0


def parsed(pairs: Sequence[str]) -> dict[str, Any]:
    """``key=value`` pairs as arguments: a value that reads as JSON is taken as such, anything else as text."""
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise InvalidRequest(f"{pair!r} is not key=value.", then="Write, for example: prompt='a red kite'")
        arguments[name] = _value(value)
    return arguments


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
