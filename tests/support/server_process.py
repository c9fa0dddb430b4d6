"""A server in a process of its own, so that it can be killed."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp import Client, StdioServerParameters, stdio_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@asynccontextmanager
async def spawn_server(
    environ: dict[str, str], *, pid_file: Path | None = None, mode: str = "auto", **options: Any
) -> AsyncGenerator[Client]:
    """A client of ``atelier serve`` in a process of its own; ``pid_file`` gets its process id.

    ``options`` are the client's.
    """
    code = "import sys, os; from atelier_mcp.server.__main__ import main; sys.argv[1:] = ['serve']; "
    write_pid = f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); " if pid_file else ""
    server = StdioServerParameters(
        command=sys.executable, args=["-c", f"{code}{write_pid}sys.exit(main())"], env={**os.environ, **environ}
    )
    async with Client(stdio_client(server), mode=mode, **options) as client:  # pyright: ignore[reportArgumentType]  # a word of the SDK's
        yield client
