"""Fixtures every suite shares."""

from __future__ import annotations

import signal
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


@pytest.fixture(scope="session", autouse=True)
def interruptible_children() -> None:
    """A shell starts what it runs in the background with Ctrl-C ignored, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
