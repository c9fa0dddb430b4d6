"""Fixtures every suite shares."""

from __future__ import annotations

from pathlib import Path

import pytest

PHOTOS = Path(__file__).parent.parent / "examples" / "photos"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of photos the examples and the tests use."""
    return PHOTOS
