"""An ASGI application that has been started, without a server around it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp


@asynccontextmanager
async def start_app(app: ASGIApp) -> AsyncGenerator[None]:
    """Send the application what a server sends it before its first request and after its last."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, from_app.put))  # pyright: ignore[reportArgumentType]  # a coroutine
        to_app.put_nowait({"type": "lifespan.startup"})
        assert (await from_app.get())["type"] == "lifespan.startup.complete"
        try:
            yield
        finally:
            to_app.put_nowait({"type": "lifespan.shutdown"})
            assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
