"""The commands, run as a person runs them."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Final

BOUND_S: Final = 30.0


async def run_atelier(*arguments: str, environ: dict[str, str]) -> tuple[int, str, str]:
    """Run a command; its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier_mcp.server",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environ, "COLUMNS": "200"},
    )
    out, err = await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
