"""Fixtures that start a server and connect a client of the tasks extension to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.http_service import serve_http
from tests.support.task_client import open_http_caller, open_stdio_caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from tests.support.task_client import TaskCaller

    Environ = dict[str, str]
    Door = Callable[..., AbstractAsyncContextManager[TaskCaller]]


@asynccontextmanager
async def open_http(environ: Environ) -> AsyncGenerator[TaskCaller]:
    """A client of a server over HTTP, both started for it."""
    async with serve_http(environ) as address, open_http_caller(address) as caller:
        yield caller


@pytest.fixture(params=[open_stdio_caller, open_http], ids=["stdio", "http"])
def open_door(request: pytest.FixtureRequest, environ: Environ) -> Door:
    """Starts a server and connects to it, over each transport; keyword arguments are more settings."""

    def connect(**more: str) -> AbstractAsyncContextManager[TaskCaller]:
        return request.param({**environ, **more})

    return connect


@pytest.fixture
async def caller(environ: Environ) -> AsyncGenerator[TaskCaller]:
    """A client of a server over stdio."""
    async with open_stdio_caller(environ) as opened:
        yield opened
