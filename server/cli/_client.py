"""The commands' own MCP client: the same door that agents use, in this process."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AtelierError, Spent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    import mcp_types as types
    from mcp import Client

    from atelier_mcp.server.settings import Settings

    ProgressUpdate = Callable[[float, float | None, str | None], None]


class ToolRefused(AtelierError):
    """A tool answered with an error; its text is already meant for the reader."""

    spent: Spent = Spent.UNKNOWN

    def __str__(self) -> str:
        """The tool's own words."""
        return self.message


@asynccontextmanager
async def open_client(settings: Settings) -> AsyncGenerator[Client, None]:
    """A client of a server in this process, which asks whoever sits at a terminal where a person has to agree.

    Raises ``ConfigurationError`` where the ledger cannot be opened, or a log not be written.
    """
    from mcp import Client

    from atelier_mcp.server.app import create_server
    from atelier_mcp.server.cli._consent import ask_at_terminal, is_terminal
    from atelier_mcp.server.jobs.ledger_check import check_ledger
    from atelier_mcp.server.local_folders import check_log_files, get_database_url

    check_ledger(get_database_url(settings))
    check_log_files(settings)
    ask = ask_at_terminal if is_terminal() else None
    async with Client(create_server(settings), elicitation_callback=ask) as client:
        yield client


def with_library(settings: Settings) -> Settings:
    """The settings with the tools of jobs and library on, whatever is on for agents."""
    return settings.model_copy(update={"toolsets": ("jobs", "library")})


@contextmanager
def show_progress(label: str) -> Generator[ProgressUpdate]:
    """A bar on stderr that moves from the first moment on; it takes what a call reports.

    On stderr, so that stdout can be piped; not drawn into a file.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[news]}", markup=False),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        # Without a total it swings: of how much, the server says with its first report.
        step = bar.add_task(label, total=None, news="starting")

        def update_progress(progress: float, total: float | None, message: str | None) -> None:
            bar.update(step, completed=progress, total=total, news=message or "")

        yield update_progress


async def call_tool(
    client: Client, tool: str, arguments: dict[str, Any], update: ProgressUpdate | None = None
) -> types.CallToolResult:
    """Call a tool, its progress handed to ``update``; raises what it was refused with."""

    async def update_progress(progress: float, total: float | None, message: str | None) -> None:
        if update is not None:
            update(progress, total, message)

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
