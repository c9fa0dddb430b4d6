"""Ctrl-C, and a client that goes away."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pty = pytest.importorskip("pty", reason="Windows has no such terminals")
BOUND_S = 60.0
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":'
    b'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n'
)


def wait_for(fd: int, text: bytes) -> None:
    """Read until a text has come."""
    seen, end_s = b"", time.monotonic() + BOUND_S
    while text not in seen:
        assert time.monotonic() < end_s, seen
        if select.select([fd], [], [], 1.0)[0]:
            seen += os.read(fd, 65536)


@pytest.mark.parametrize(
    ("command", "is_open"),
    [(["serve"], False), (["serve"], True), ([], False)],
    ids=["before a session", "in a session", "without a command"],
)
def test_ctrl_c_once_ends_the_server_in_a_terminal(tmp_path: Path, command: list[str], is_open: bool) -> None:
    """Though it waits for a line that will not come."""
    controller, terminal = pty.openpty()
    environ = {**os.environ, "ATELIER_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "atelier_mcp.server", *command],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environ,
    ) as process:
        wait_for(controller, b"waits for an MCP client")
        if is_open:
            os.write(controller, INITIALIZE)
            wait_for(controller, b"serverInfo")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=BOUND_S) == 130
        finally:
            process.kill()
    os.close(terminal)
    output = b""
    while select.select([controller], [], [], 0)[0]:
        try:
            output += os.read(controller, 65536)
        except OSError:  # the other end is closed
            break
    os.close(controller)
    assert b"Traceback" not in output


def test_a_client_that_reads_no_more_ends_the_server_in_peace(tmp_path: Path) -> None:
    """It has closed its end of stdout, and still sends."""
    environ = {**os.environ, "ATELIER_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "atelier_mcp.server", "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(INITIALIZE)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(b'{"jsonrpc":"2.0","id":2,"method":"ping"}\n')
        process.stdin.flush()
        assert process.wait(timeout=BOUND_S) == 0
        assert process.stderr.read() == b""
