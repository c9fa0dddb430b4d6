"""Public clients of the services themselves, against the emulator that plays them.

Each has an environment of its own. Its script gets the variables that lead it to the emulator, tries what the client
can do, and prints what failed as one line: ``INTEROP ["..."]``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.interop.environments import InteropClient, prepare

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SCRIPTS: Final = Path(__file__).parent / "clients"
TIMEOUT_S: Final = 300.0
SERVICE_CLIENTS: Final = {
    "webuiapi": InteropClient("use_webuiapi.py", ("webuiapi==0.9.17",)),
    "comfy-cli": InteropClient("use_comfy_cli.py", ("comfy-cli==1.23.0",)),
    "openai": InteropClient("use_openai.py", ("openai==3.57.0",)),
}
EMULATOR: Final = [sys.executable, "-m", "atelier_mcp.server", "emulator", "--port", "0"]
AT_ROOT: Final = {"comfy-cli": [sys.executable, "-m", "tests.interop.comfyui_at_root"]}
"""Emulators of clients that take a host and a port, and no path."""


async def try_service_client(name: str) -> tuple[str, ...]:
    """What failed; raises ``InstallError`` where the client cannot be installed."""
    client = SERVICE_CLIENTS[name]
    interpreter = await asyncio.to_thread(prepare, name, client)
    async with _run_emulator(AT_ROOT.get(name, EMULATOR)) as variables:
        own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        process = await asyncio.create_subprocess_exec(
            interpreter,
            str(SCRIPTS / client.script),
            env={**own, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return (f"did not end within {TIMEOUT_S:.0f} s",)
    found = [line.removeprefix("INTEROP ") for line in stdout.decode().splitlines() if line.startswith("INTEROP ")]
    if not found:
        return (f"broke off: {' | '.join(stderr.decode(errors='replace').splitlines()[-3:])}",)
    return tuple(json.loads(found[-1]))


@asynccontextmanager
async def _run_emulator(command: list[str]) -> AsyncGenerator[dict[str, str]]:
    """The variables that lead a client to an emulator on a free port, while it runs."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("the emulator has no pipes")
        # Its last word before it serves; the exports stand on stdout by then.
        await process.stderr.readline()
        text = (await process.stdout.read(65536)).decode()
        yield dict(_split_export(line) for line in text.splitlines() if line.startswith("export "))
    finally:
        process.terminate()
        await process.communicate()


def _split_export(line: str) -> tuple[str, str]:
    """Name and value of ``export NAME='value'``."""
    name, _, value = line.removeprefix("export ").partition("=")
    return name, value.strip("'\"")
