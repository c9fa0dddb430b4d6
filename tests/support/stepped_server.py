"""A whole server in stepped time behind an MCP client, and the emulator behind a gateway that can misbehave."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import stamina
from mcp import Client

from atelier_mcp.server import app
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.workers.pool import WorkerPool
from tests.support.bad_gateway import BadGateway, GatewayState
from tests.support.emulator_harness import EmulatorHarness, FakeEngine
from tests.support.service_jobs import CARD_SERVICES, OTHER_SERVICES
from tests.support.stepped_clock import SteppedClock, SteppedUnixClock
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import mcp_types as types
    import pytest

UNFINISHED: Final = frozenset({"submitting", "queued", "running", "saving"})


@dataclass(frozen=True)
class Upstream:
    """A service that has tasks, and how the emulator is made to play it."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    def build_environ(self, base_url: str) -> dict[str, str]:
        """The settings that point at it."""
        settings = {name: value.format(base=base_url) for name, value in _SETTINGS[self.name].items()}
        return {**settings, "ATELIER_TOOLSETS": "all"} if self.version else settings


_SETTINGS: Final = {service.name: service.settings for service in (*CARD_SERVICES, *OTHER_SERVICES)}
MHAPI: Final = Upstream("mhapi")
UPSTREAMS: Final = (MHAPI, Upstream("miaohua"), Upstream("sd_aws", "1.3"), Upstream("sd_aws", "1.7"))


class SteppedServer:
    """Clock, gateway and engine of one world; ``connect`` starts a server in it. Use it with ``async with``."""

    def __init__(self, *, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = SteppedClock()
        self.gateway = GatewayState(self.clock)
        self.engine = FakeEngine()
        self.site = EmulatorHarness(EmulatorSettings(), self.engine, SteppedUnixClock(self.clock))
        self.base_url: str = ""
        """Where the server finds the emulator; the emulator's own address, unless something stands before it."""
        self._home = home
        self._stack = AsyncExitStack()
        monkeypatch.setattr(app, "SystemClock", lambda: self.clock)
        run_call = WorkerPool.run_call

        async def run_held(*arguments: Any, **options: Any) -> Any:
            with self.clock.hold():
                return await run_call(*arguments, **options)

        monkeypatch.setattr(WorkerPool, "run_call", run_held)

    async def __aenter__(self) -> Self:
        self.clock.watch_threads()
        # What the server repeats at once is repeated without a pause in real time.
        self._stack.enter_context(stamina.set_testing(True, attempts=3, cap=True))
        self.site.emulator.app.add_middleware(BadGateway, holder=self.gateway)
        await self._stack.enter_async_context(self.site)
        self.base_url = self.site.emulator.base_url
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def connect(self, upstream: Upstream, **more: str) -> AsyncGenerator[Client]:
        """A client of a server of one upstream; keyword arguments are more settings."""
        environ = {"ATELIER_HOME": str(self._home), **upstream.build_environ(self.base_url), **more}
        async with Client(app.create_server(load_settings(environ))) as client:
            if upstream.name == "sd_aws":
                await self.site.call_control("PATCH", "/settings", {"sd_aws": {"version": upstream.version}})
                get_structured(await self.call(client, "aws_deploy_endpoint", name="one"))
            yield client

    async def call(self, client: Client, tool: str, **arguments: Any) -> types.CallToolResult:
        """A tool's answer, in as much of the clock's time as it needs."""
        return await self.clock.run(client.call_tool(tool, arguments))

    async def start_job(self, client: Client, prompt: str) -> str:
        """The id of a job that was accepted and is held at the service."""
        self.engine.answer_gate.clear()
        started = get_structured(await self.call(client, "generate_image", prompt=prompt, wait_s=10))
        assert started["state"] in {"queued", "running"}
        return started["job_id"]

    async def wait_for_end(self, client: Client, job_id: str) -> dict[str, Any]:
        """The job when it has ended; the pause after the last failed look may be longer than a call waits."""
        job: dict[str, Any] = {"state": "queued"}
        for _ in range(8):
            if job["state"] in UNFINISHED:
                answer = await self.call(client, "wait_for_jobs", job_ids=[job_id], wait_s=50)
                (job,) = get_structured(answer)["jobs"]
        return job

    def recover(self) -> None:
        """The service can be reached, and draws."""
        self.gateway.answer = None
        self.gateway.gate.set()
        self.engine.answer_gate.set()
