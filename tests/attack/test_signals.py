"""A server over stdio that is told to end, in the middle of what is paid for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.support.bad_gateway import SUBMITS, BadGateway, GatewayState
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine
from tests.support.stepped_clock import SteppedClock
from tests.support.stepped_server import MHAPI

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")

BOUND_S: Final = 30.0
STOPPED: Final = 128 + signal.SIGTERM
INTERRUPTED: Final = 128 + signal.SIGINT


class WallClock(ManualUnixClock):
    """The time of day: a server in another process has no other."""

    def __call__(self) -> float:
        return time.time()


@pytest.fixture
def gateway() -> GatewayState:
    """Holds submits while its gate is closed."""
    return GatewayState(SteppedClock(), pattern=SUBMITS)


@pytest.fixture
async def environ(gateway: GatewayState, tmp_path: Path) -> AsyncGenerator[dict[str, str]]:
    """The settings of a server whose service never finishes a job."""
    engine = FakeEngine()
    engine.answer_gate.clear()
    site = EmulatorHarness(EmulatorSettings(), engine, WallClock())
    site.emulator.app.add_middleware(BadGateway, holder=gateway)
    async with site:
        yield {**os.environ, "ATELIER_HOME": str(tmp_path / "home"), **MHAPI.build_environ(site.emulator.base_url)}
        engine.answer_gate.set()
        gateway.gate.set()


class StdioServer:
    """A server in a process of its own, spoken to line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def send(self, **message: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.process.stdin.drain()

    async def read(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), BOUND_S))

    async def call(self, **arguments: Any) -> None:
        """Ask for a picture; the answer is for ``read``."""
        await self.send(id=2, method="tools/call", params={"name": "generate_image", "arguments": arguments})

    async def wait(self) -> int:
        """The exit code, while its stdin stays open and nothing comes on it."""
        return await asyncio.wait_for(self.process.wait(), BOUND_S)


@asynccontextmanager
async def spawn(environ: dict[str, str]) -> AsyncGenerator[StdioServer]:
    """A server with an open session; it is killed if need be."""
    command = (sys.executable, "-m", "atelier_mcp.server", "serve")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environ
    )
    server = StdioServer(process)
    try:
        client = {"name": "t", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        await server.send(id=1, method="initialize", params=params)
        await server.read()
        await server.send(method="notifications/initialized")
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        assert process.stdin
        process.stdin.close()


async def test_sigterm_in_the_middle_of_a_submit_waits_for_its_answer(
    environ: dict[str, str], gateway: GatewayState
) -> None:
    """As over HTTP: the caller learns the id of what was paid for."""
    gateway.gate.clear()
    async with spawn(environ) as server:
        await server.call(prompt="a kite", wait_s=45)
        await asyncio.wait_for(gateway.is_holding.wait(), BOUND_S)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(server.process.wait(), 0.5)
        gateway.gate.set()
        answer = await server.read()
        assert "is queued; it goes on" in answer["result"]["content"][0]["text"]
        assert await server.wait() == STOPPED


async def test_sigterm_ends_a_wait_for_a_job_with_how_it_stands(environ: dict[str, str]) -> None:
    async with spawn(environ) as server:
        await server.call(prompt="a kite", wait_s=1)
        first = await server.read()
        assert "goes on" in first["result"]["content"][0]["text"]
        await server.send(id=3, method="tools/call", params={"name": "wait_for_jobs", "arguments": {"wait_s": 45}})
        # The answer to a ping behind it shows that the call has come in.
        await server.send(id=4, method="ping")
        assert (await server.read())["id"] == 4
        server.process.send_signal(signal.SIGTERM)
        answer = await server.read()
        assert answer["id"] == 3
        assert "result" in answer
        assert await server.wait() == STOPPED


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, STOPPED), (signal.SIGINT, INTERRUPTED)])
async def test_an_idle_server_ends_at_once_without_another_line(
    environ: dict[str, str], number: signal.Signals, code: int
) -> None:
    """Its client sends nothing and keeps the pipe open."""
    async with spawn(environ) as server:
        server.process.send_signal(number)
        assert await server.wait() == code


async def test_sigint_in_the_middle_of_a_wait_does_not_wait_for_another_line(environ: dict[str, str]) -> None:
    async with spawn(environ) as server:
        await server.call(prompt="a kite", wait_s=1)
        await server.read()
        await server.send(id=3, method="tools/call", params={"name": "wait_for_jobs", "arguments": {"wait_s": 45}})
        await server.send(id=4, method="ping")
        await server.read()
        server.process.send_signal(signal.SIGINT)
        assert await server.wait() == INTERRUPTED
