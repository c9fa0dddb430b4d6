"""Headless Chromium with a small host page in it, and the real server behind that."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from mcp import Client
from playwright.async_api import async_playwright, expect

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.engine.pool import EnginePool
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.views.pages import read_page
from tests.browser.host_frame import BOUND_MS, HostFrame, open_host
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import EmulatorHarness

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from playwright.async_api import Browser

    OpenHost = Callable[..., Awaitable[HostFrame]]

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
expect.set_options(timeout=BOUND_MS)
AXE_FOLDER: Final = "ATELIER_AXE"
"""Names the folder of npm's axe-core; without it the pages are not held to its rules."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once, and not for each test, why something was skipped."""
    for reason in sorted({report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())}):
        terminalreporter.write_line(reason)


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    """The system's Chromium; without one every test here is skipped, before it starts anything."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install chromium-headless-shell, or set CHROMIUM to one")
    return CHROMIUM


@pytest.fixture(scope="session")
async def browser(chromium: str) -> AsyncGenerator[Browser]:
    """Chromium, without a window."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
async def pool() -> AsyncGenerator[EnginePool]:
    """The real engine, for all tests."""
    async with EnginePool() as engine_pool:
        yield engine_pool


@pytest.fixture(scope="session")
async def site(pool: EnginePool) -> AsyncGenerator[EmulatorHarness]:
    """The upstream: an emulator in real time with the real engine."""
    async with EmulatorHarness(EmulatorSettings(), pool, RealClock()) as running:
        yield running


@pytest.fixture
def environ(site: EmulatorHarness, photos: Path, tmp_path: Path) -> dict[str, str]:
    """What the operator sets: credentials, the emulator's address, a folder of its own."""
    return build_environ(site, tmp_path, photos, tmp_path)


def build_environ(site: EmulatorHarness, home: Path, *folders: Path) -> dict[str, str]:
    """Settings of a server with its data in ``home`` that reads pictures in these folders."""
    return {
        "ATELIER_HOME": str(home / "home"),
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
        "MHAPI_BASE_URL": f"{site.emulator.base_url}/mhapi",
        "ATELIER_INPUT_ROOTS": ",".join(map(str, folders)),
    }


class RealClock(ManualUnixClock):
    """The time of day."""

    def __call__(self) -> float:
        return time.time()


@asynccontextmanager
async def start_server(environ: dict[str, str]) -> AsyncGenerator[Client]:
    """A client of the whole server, in this process."""
    async with Client(create_server(load_settings(environ))) as client:
        yield client


@pytest.fixture
async def client(environ: dict[str, str]) -> AsyncGenerator[Client]:
    """A client of the whole server."""
    async with start_server(environ) as started:
        yield started


@pytest.fixture
async def new_host(browser: Browser) -> AsyncGenerator[OpenHost]:
    """Opens the studio in a host; keyword arguments are those of ``open_host``. Nothing may go wrong on the page."""
    async with AsyncExitStack() as stack:
        opened: list[HostFrame] = []

        async def open_one(client: Client | None, **options: Any) -> HostFrame:
            host = await stack.enter_async_context(open_host(browser, read_page("studio"), client, **options))
            opened.append(host)
            return host

        yield open_one
        for host in opened:
            assert not host.problems


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    script = Path(os.environ.get(AXE_FOLDER, "")) / "axe.min.js"
    if not script.is_file():
        pytest.skip(f"there is no axe-core: make browser takes it from npm, and {AXE_FOLDER} names its folder")
    return script.read_text("utf-8")
