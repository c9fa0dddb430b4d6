"""The commands' own MCP client: the same door that agents use, in this process."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client

from atelier_mcp.server.app import create_server, get_database_url
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.ledger_check import check_ledger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import mcp_types as types

    from atelier_mcp.server.settings import Settings


class ToolRefused(AtelierError):
    """A tool answered with an error; its text is already meant for the reader."""

    def __str__(self) -> str:
        """The tool's own words."""
        return self.message


@asynccontextmanager
async def open_client(settings: Settings) -> AsyncGenerator[Client, None]:
    """A client of a server in this process. Raises ``ConfigurationError`` where the ledger cannot be opened."""
    check_ledger(get_database_url(settings))
    async with Client(create_server(settings)) as client:
        yield client


async def call_tool(client: Client, tool: str, arguments: dict[str, Any], label: str) -> types.CallToolResult:
    """Call a tool with a progress bar on stderr; raise its error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[news]}"), TimeElapsedColumn())
    console = Console(stderr=True)
    # On stderr, so that stdout can be piped; not drawn into a file.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        step = bar.add_task(label, total=1.0, news="")

        async def update_progress(progress: float, total: float | None, message: str | None) -> None:
            bar.update(step, completed=progress, total=total, news=message or "")

        result = await client.call_tool(tool, arguments, progress_callback=update_progress)
    if result.is_error:
        raise ToolRefused(get_text(result))
    return result


def print_json(document: Any) -> None:
    """The document as JSON that any terminal can show and any program can read."""
    can_show_all = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    print(json.dumps(document, indent=2, ensure_ascii=not can_show_all))


def get_text(result: types.CallToolResult) -> str:
    """The text of an answer."""
    return "\n".join(block.text for block in result.content if block.type == "text")
