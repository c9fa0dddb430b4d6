"""``atelier serve``: the MCP server, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, cast

from atelier_mcp.server.app import create_server
from atelier_mcp.server.cli.parser import DEFAULT_HOST, HTTP_PORT
from atelier_mcp.server.cli.usage import UsageError, build_listen_error
from atelier_mcp.server.idle_settings import find_idle_settings
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.local_folders import check_log_files, get_database_url

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from atelier_mcp.server.resources import ImageResourceServer
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.web.health import Readiness

log: logging.Logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve until the client goes away (stdio) or the process is told to stop (HTTP).

    Raises ``ConfigurationError`` for a ledger that cannot be opened, a log that cannot be written, or a store of
    pictures that cannot be used: a client would learn it with its first picture.
    """
    if not arguments.http and (arguments.host is not None or arguments.port is not None):
        raise UsageError("atelier serve: --host and --port are for HTTP.", hint="Add --http, or leave them out.")
    for idle in find_idle_settings(settings):
        log.warning("%s", idle)
    check_ledger(get_database_url(settings))
    check_log_files(settings)
    if settings.store_url:
        _check_store(settings, is_tried=arguments.http)
    if arguments.http:
        port = HTTP_PORT if arguments.port is None else arguments.port
        return _serve_http(arguments.host or DEFAULT_HOST, port, settings)
    # Someone started it by hand; an MCP client gives it a pipe.
    if sys.stdin.isatty():
        print("Atelier waits for an MCP client on stdin; atelier --help lists the commands.", file=sys.stderr)
    server = cast("ImageResourceServer", create_server(settings))
    gc.freeze()  # what is loaded stays: no later collection needs to look through it
    return asyncio.run(_serve_stdio(server))


async def _serve_stdio(server: ImageResourceServer) -> int:
    """Serve until the client goes away, or SIGTERM: then calls under way are answered, as over HTTP."""
    stop_event = asyncio.Event()

    def stop() -> None:
        stop_event.set()
        server.service_host.end_waits()

    with contextlib.suppress(NotImplementedError):  # Windows has no such signal
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await server.run_stdio_async(stop_event)
    # What a shell reports of a process that was told to end.
    return 128 + signal.SIGTERM if stop_event.is_set() else 0


def _check_store(settings: Settings, *, is_tried: bool) -> None:
    """Raise ``ConfigurationError`` for an address that is no bucket's; if it ``is_tried``, what trying it raises.

    Over stdio that waits for the first tool: it would hold up the first answer.
    """
    from atelier_mcp.server.libraries import create_image_store

    store = create_image_store(settings)
    if is_tried:
        asyncio.run(store.check())


def _serve_http(host: str, port: int, settings: Settings) -> int:
    import uvicorn

    from atelier_mcp.server.http_connections import BACKLOG, KEEP_ALIVE_S, create_connection_class
    from atelier_mcp.server.web.app import create_web_app

    # log_config=None leaves our handlers in place. An MCP stream stays open as long as its client does: it is cut off.
    readiness: list[Readiness] = []
    config = uvicorn.Config(
        create_web_app(settings, host=host, on_ready=readiness.append),
        http=create_connection_class(),
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=3,
    )
    listener = _bind_socket(host, port)
    name = f"[{host.strip('[]')}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}/mcp"

    class Server(uvicorn.Server):
        """Says its address once connections are taken and signals are heard: whoever reads it may act at once.

        Told to end, it is not ready from then on and lets calls that wait answer; ``ATELIER_DRAIN_S`` later, when the
        balancer has noticed, it takes no more connections. Told again, it ends at once.
        """

        _loop: asyncio.AbstractEventLoop | None = None
        _is_draining = False

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self._loop = asyncio.get_running_loop()
            await super().startup(sockets)
            if self.started:
                print(f"Atelier listens at {address}", file=sys.stderr)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if sig != signal.SIGTERM or self._is_draining or self._loop is None:
                super().handle_exit(sig, frame)
                return
            self._is_draining = True
            self._loop.call_soon_threadsafe(readiness[0].start_draining)
            # From within the loop: a signal comes between any two lines of it.
            end = partial(super().handle_exit, sig, frame)
            self._loop.call_soon_threadsafe(self._loop.call_later, settings.drain_s, end)

    Server(config).run([listener])
    return 0


def _bind_socket(host: str, port: int) -> socket.socket:
    """A socket of our own: with the protocol named, small answers leave at once. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on a socket that says IPPROTO_TCP; without it small answers wait for each other.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # So that a restart does not fail on connections of the former process in TIME_WAIT. Windows has no such wait, and
    # would let two servers have one port.
    if os.name != "nt":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as err:
        listener.close()
        raise build_listen_error(host, port, err) from err
    return listener
