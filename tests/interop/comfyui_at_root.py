"""The emulated ComfyUI at the root of a port of its own, for clients that know no path in front: ``host`` and ``port``.

It says where it is as ``atelier emulator`` does, and serves until it is terminated.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import TYPE_CHECKING

import uvicorn

from atelier_mcp.server.emulator.app import create_app
from atelier_mcp.server.emulator.embedded import WEB_SOCKETS
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.engine.pool import EnginePool

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/comfyui"


def put_in_front(app: ASGIApp) -> ASGIApp:
    """The application with everything below ``PREFIX`` at its root."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if "path" in scope:
            scope = {**scope, "path": f"{PREFIX}{scope['path']}", "raw_path": PREFIX.encode() + scope["raw_path"]}
        await app(scope, receive, send)

    return serve


async def main() -> None:
    """Serve on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()[:2]
    async with EnginePool() as engine:
        app = create_app(EmulatorSettings(), engine, time.time)
        async with app.router.lifespan_context(app):
            config = uvicorn.Config(put_in_front(app), ws=WEB_SOCKETS, lifespan="off", log_level="warning")
            sys.stdout.write(f"export COMFYUI_URL=http://{host}:{port}\n")
            sys.stdout.flush()
            sys.stderr.write("serving\n")
            sys.stderr.flush()
            await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
