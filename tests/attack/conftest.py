"""What attacks are counted with. ``make attack`` runs them at full length and prints the counts."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.settings import load_settings
from tests.support.attack_tally import AttackTally
from tests.support.clock import WallClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Generator[AttackTally]:
    """Counts the attempts of one test; none may get through, and there must have been some."""
    counted = AttackTally()
    yield counted
    print(f"{request.node.name}: {counted}")
    assert counted.attempts, "nothing was tried"
    assert not counted.breaches, "\n".join(counted.breaches[:20])


@pytest.fixture
def rounds() -> Callable[[int, int], int]:
    """Chooses how often something is tried: the first number in ``make test``, the second in ``make attack``."""

    def choose(usual: int, full: int) -> int:
        return full if os.environ.get("ATTACK") == "full" else usual

    return choose


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[EmulatorHarness]:
    """The upstreams: an emulator that draws in no time and logs what it is sent."""
    settings = EmulatorSettings(access_log=tmp_path / "access.jsonl")
    async with EmulatorHarness(settings, FakeEngine(), WallClock()) as running:
        yield running


@pytest.fixture
def new_client(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Client]]:
    """Starts a server in memory and connects to it; keyword arguments are its settings."""

    @asynccontextmanager
    async def connect(**environ: str) -> AsyncGenerator[Client]:
        usual = {"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_INPUT_ROOTS": str(tmp_path / "inputs")}
        async with Client(create_server(load_settings({**usual, **environ}))) as client:
            yield client

    return connect
