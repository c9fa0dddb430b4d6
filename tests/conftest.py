"""Fixtures every suite shares."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from atelier_mcp.server.requests.base import RequestModel

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@pytest.fixture(scope="session", autouse=True)
def misspelt_fields_fail() -> None:
    """Pydantic's ``model_copy`` takes a name that is no field without a word, and the value is lost."""

    def model_copy(self: RequestModel, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> RequestModel:
        if unknown := (update or {}).keys() - type(self).model_fields.keys():
            raise AttributeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        return BaseModel.model_copy(self, update=update, deep=deep)

    patch = pytest.MonkeyPatch()
    patch.setattr(RequestModel, "model_copy", model_copy)
