"""Starts servers in a tenth of the time: one process loads whatever a server loads, and each server is a fork of it.

As a program it reads the options of a server from each line of stdin and answers with a process id; with the end of
stdin every server ends.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

from tests.chaos.server_program import ROOT, ServerOptions, run

if TYPE_CHECKING:
    from collections.abc import Generator

MODULES: Final = (
    "anyio._backends._asyncio", "httpcore2", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite",
    "stamina", "tenacity.asyncio", "truststore", "uvicorn.lifespan.on", "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    *(f"atelier_mcp.server.{name}" for name in (
        "__main__", "cli.serve", "http_connections", "images.all_libraries", "images.pipeline", "images.workers",
        "jobs.database", "jobs.ledger", "jobs.ledger_clock", "jobs.ownership_choice", "jobs.poller", "jobs.postgres",
        "jobs.service", "jobs.submitter", "jobs.unfinished_jobs", "logs", "provider_factory",
        "providers.mhapi.factory", "providers.mhapi.provider", "service_opening",
    )),
)  # fmt: skip


class ServerForks:
    """The process that servers are forked from; ``open_server_forks`` starts it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._turn = threading.Lock()

    def fork(self, options: ServerOptions) -> int:
        """Start a server; returns its process id. Blocks for a moment."""
        assert self._process.stdin is not None
        with self._turn:
            self._process.stdin.write(f"{options.encode()}\n")
            self._process.stdin.flush()
            return int(self.read_line())

    def read_line(self) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def open_server_forks() -> Generator[ServerForks]:
    """The process, once everything is loaded; all its servers end with the block."""
    command = [sys.executable, "-m", "tests.chaos.server_forks"]
    pipe = subprocess.PIPE
    # A group of its own, which it ends as a whole.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, start_new_session=True) as process:
        forks = ServerForks(process)
        assert forks.read_line() == "ready\n"
        try:
            yield forks
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def main() -> None:
    """Fork a server for each line."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the dead are gone at once
    print("ready", flush=True)
    while line := sys.stdin.readline():
        process_id = os.fork()
        if process_id == 0:
            _serve(ServerOptions(**json.loads(line)))
        print(process_id, flush=True)
    os.killpg(0, signal.SIGKILL)


def _load() -> None:
    from atelier_mcp.server.settings import load_settings
    from atelier_mcp.server.web.app import create_web_app

    for module in MODULES:
        import_module(module)
    with tempfile.TemporaryDirectory() as home:
        # What finds the tools loads them.
        create_web_app(load_settings({"ATELIER_HOME": home}), host="127.0.0.1")
    gc.freeze()


def _serve(options: ServerOptions) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        run(options)
    finally:
        os._exit(1)  # never back into the loop that forked it


if __name__ == "__main__":
    main()
