"""``atelier serve``: the MCP server, over stdio or HTTP."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from atelier.server.app import create_server

if TYPE_CHECKING:
    import argparse

    from atelier.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until the client goes away (stdio) or the process is told to stop (HTTP)."""
    if arguments.http:
        return _serve_http(arguments, settings)
    server = create_server(settings)
    gc.freeze()  # what is loaded stays: no later collection needs to look through it
    server.run("stdio")
    return 0


def _serve_http(arguments: argparse.Namespace, settings: Settings) -> int:
    import sys

    import uvicorn

    from atelier.server.web import web_app

    app = web_app(settings, host=arguments.host)
    print(f"Atelier listens at http://{arguments.host}:{arguments.port}/mcp", file=sys.stderr)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_config=None, timeout_graceful_shutdown=3)
    return 0
