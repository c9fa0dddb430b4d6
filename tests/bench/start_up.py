"""From the spawn to the answered ``tools/list``, beside a server of one tool on the same SDK, in turn.

Both by the same interpreter and with raw lines, so that no client's own time is in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.bench.figures import Figure, read_memory_mb, report

RUNS = 15
FLOOR: Final = '''
from mcp.server import MCPServer

app = MCPServer("floor")


@app.tool()
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


app.run("stdio")
'''
SEVEN_SERVICES: Final = {
    "MHAPI_ACCESS_KEY": "bench",
    "MHAPI_SECRET_KEY": "bench",
    "MIAOHUA_EMAIL": "bench@example.com",
    "MIAOHUA_PASSWORD": "bench",
    "SENSENOVA_API_KEY": "bench",
    "SD_AWS_URL": "http://127.0.0.1:9/prod",
    "SD_AWS_API_KEY": "bench",
    "OPENAI_API_KEY": "bench",
    "SD_WEBUI_URL": "http://127.0.0.1:9",
    "COMFYUI_URL": "http://127.0.0.1:9",
}


class Start(NamedTuple):
    """What one start took."""

    first_list_s: float
    memory_mb: float


def _start(command: list[str], environ: dict[str, str]) -> Start:
    started_s = time.perf_counter()
    with subprocess.Popen(
        command,
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        client = {"name": "bench", "version": "1"}
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        _send(process, {"id": 1, "method": "initialize", "params": opening})
        _wait_for_answer(process, 1)
        _send(process, {"method": "notifications/initialized"})
        _send(process, {"id": 2, "method": "tools/list", "params": {}})
        _wait_for_answer(process, 2)
        start = Start(time.perf_counter() - started_s, read_memory_mb(process.pid))
        process.kill()
    return start


def _send(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()


def _wait_for_answer(process: subprocess.Popen[bytes], request_id: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        message = json.loads(line)
        if message.get("id") == request_id:
            assert "result" in message, message
            return
    raise AssertionError("the server has ended")


def measure() -> None:
    """Report how much longer the server takes than the floor does, without any key and with seven services."""
    with tempfile.TemporaryDirectory() as folder:
        floor_file = Path(folder) / "floor.py"
        floor_file.write_text(FLOOR, "utf-8")
        floor = [sys.executable, str(floor_file)]
        ours = [sys.executable, "-m", "atelier_mcp", "serve"]
        for what, services in (("without a key", {}), ("with seven services", SEVEN_SERVICES)):
            environ = {"ATELIER_HOME": folder, **services}
            _start(ours, environ)  # makes the list of tools and keeps it, as the first start ever does
            pairs = [(_start(floor, {}), _start(ours, environ)) for _ in range(RUNS)]
            more_s = statistics.median(our.first_list_s - base.first_list_s for base, our in pairs)
            memory_mb = statistics.median(our.memory_mb for _, our in pairs)
            floor_s = statistics.median(base.first_list_s for base, _ in pairs)
            report(
                Figure(f"start {what}: a server of one tool on the same SDK", floor_s * 1e3, "ms"),
                Figure(f"start {what}: tools/list answered later than there by", more_s * 1e3, "ms", at_most=50),
                Figure(f"start {what}: memory", memory_mb, "MB", at_most=75),
            )


if __name__ == "__main__":
    measure()
