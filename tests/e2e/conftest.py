"""The whole server behind an MCP client, with only the network replaced: by the emulator, on a real socket."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.settings import Settings, load_settings
from tests.support.clock import WallClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types

    Environ = dict[str, str]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]
    Call = Callable[..., Awaitable[types.CallToolResult]]


@pytest.fixture
def engine() -> FakeEngine:
    """An engine that draws in no time."""
    return FakeEngine()


@pytest.fixture
async def site(engine: FakeEngine, tmp_path: Path) -> AsyncGenerator[EmulatorHarness]:
    """The upstream: an emulator in real time."""
    async with EmulatorHarness(EmulatorSettings(access_log=tmp_path / "access.jsonl"), engine, WallClock()) as running:
        yield running


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> Environ:
    """What the operator sets: credentials, the emulator's address, a folder of its own."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
        "MHAPI_BASE_URL": f"{site.emulator.base_url}/mhapi",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
    }


@pytest.fixture
def settings(environ: Environ) -> Settings:
    """The settings, read."""
    return load_settings(environ)


@pytest.fixture
def new_client(environ: Environ) -> NewClient:
    """Starts a server and connects to it; keyword arguments are more settings."""

    @asynccontextmanager
    async def connect(**more: str) -> AsyncGenerator[Client]:
        async with Client(create_server(load_settings({**environ, **more}))) as client:
            yield client

    return connect


@pytest.fixture
async def client(new_client: NewClient) -> AsyncGenerator[Client]:
    """A client of a server with the usual settings."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(new_client())


@pytest.fixture
def call(client: Client) -> Call:
    """Calls a tool and returns its result, refused or not."""

    async def call_tool(name: str, /, **arguments: Any) -> types.CallToolResult:
        return await client.call_tool(name, arguments)

    return call_tool
