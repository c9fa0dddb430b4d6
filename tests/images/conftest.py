"""A store, a downloader and a clock for the tests of the images package."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.images.download import Downloader
from atelier_mcp.server.images.folder_store import FolderStore
from atelier_mcp.server.images.workers import ImageWorkers
from tests.images.sites import Site, open_site

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@pytest.fixture
def now() -> datetime:
    """The time at which everything happens."""
    return datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data folder."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
async def workers() -> AsyncGenerator[ImageWorkers]:
    """Worker processes for all tests: each of its own would cost every one of them a quarter of a second."""
    async with ImageWorkers() as workers:
        yield workers


@pytest.fixture
def store(home: Path, workers: ImageWorkers) -> FolderStore:
    """A store with nothing in it."""
    return FolderStore(home, workers)


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    """A web server on 127.0.0.1."""
    async with open_site() as site:
        yield site


@pytest.fixture
async def downloader() -> AsyncGenerator[Downloader]:
    """A downloader that tries again at once."""
    async with Downloader(retry_delays_s=(0, 0)) as downloader:
        yield downloader
