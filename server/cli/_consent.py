"""Asking who sits at the terminal whether a job may be sent."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.client import ClientRequestContext


def is_terminal() -> bool:
    """True where somebody can read a question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


async def ask_at_terminal(
    context: ClientRequestContext,  # noqa: ARG001  # the SDK's signature
    params: types.ElicitRequestParams,
) -> types.ElicitResult:
    """Show the server's question and read a line: y or yes agrees, whatever else declines."""
    from mcp_types import ElicitResult

    print(f"{params.message} [y/N]", file=sys.stderr, flush=True)
    is_agreed = (await _read_line()).strip().lower() in ("y", "yes")
    return ElicitResult(action="accept", content={}) if is_agreed else ElicitResult(action="decline")


async def _read_line() -> str:
    """A line of stdin; it holds up no end of the program, unlike one that a pool's thread waits for."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        text = sys.stdin.readline()
        loop.call_soon_threadsafe(lambda: line.done() or line.set_result(text))

    threading.Thread(target=read, name="answer", daemon=True).start()
    return await line
