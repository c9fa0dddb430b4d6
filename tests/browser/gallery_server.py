"""The whole HTTP service on a free loopback port, in the test's own process."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import uvicorn

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def serve_gallery(environ: dict[str, str]) -> AsyncGenerator[str]:
    """Its address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    app = create_web_app(load_settings(environ), host="127.0.0.1")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=1))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]), name="gallery")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
