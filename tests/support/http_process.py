"""Atelier over HTTP in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "valid", "version": "1"}},
}
HEADERS = {"Accept": "application/json, text/event-stream"}


@contextmanager
def serve_in_process(
    folder: Path, *, descriptors: int = 1024, environ: Mapping[str, str] | None = None, log_name: str = "server.log"
) -> Generator[tuple[str, int]]:
    """``atelier serve --http`` with so many descriptors: its address and process id. Its log lies in ``folder``.

    ``environ`` are more settings.
    """
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors})); "
        "sys.argv[1:] = ['serve', '--http', '--port', '0']; "
        "from atelier_mcp.server.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code]
    all_settings = {**os.environ, "ATELIER_HOME": str(folder / "home"), **(environ or {})}
    log = folder / log_name
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stderr=stderr, env=all_settings) as process,
    ):
        try:
            deadline_s = time.monotonic() + 60
            while not (found := re.search(r"listens at (http://\S+)/mcp", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s, "it does not start"
                os.sched_yield()
            yield found[1], process.pid
        finally:
            process.send_signal(signal.SIGKILL)
