"""Three hundred tool calls at once: how long after the service is done its pictures are answered.

    an MCP client --stdio--> atelier serve --HTTP--> the emulator, which draws in no time

Each is a process of its own. The server asks for states six times a second, as services allow; the plain loop beside
it, in the same run, asks for each job every two seconds as often as it likes, downloads the picture, and does nothing
else: no ledger, no preview.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import jwt

from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.task_store import TaskStore
from tests.bench.figures import Figure, compute_percentile, report
from tests.support.server_process import spawn_server
from tests.support.tool_results import read_access_log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client

JOBS = 300
TASK_S = 5.0
PLAIN_LOOP_S = 2.0
WAIT_S = 50

_EMULATOR = f"""
import asyncio, sys
from pathlib import Path
from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.support.emulator_harness import FakeEngine

async def main(folder):
    settings = EmulatorSettings(
        state_dir=folder, access_log=folder / "access.jsonl", task_seconds={TASK_S}, rate_per_s=None
    )
    async with EmbeddedEmulator(FakeEngine(), settings) as emulator:
        print(emulator.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(Path(sys.argv[1])))
"""


@asynccontextmanager
async def run_emulator(folder: Path) -> AsyncGenerator[str]:
    """The address of an emulator whose tasks and log lie in ``folder``."""
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _EMULATOR, str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def _call_tool(client: Client, prompt: str) -> tuple[str, float] | None:
    """The prompt and when its pictures were answered, in Unix seconds; None when they were not."""
    result = await client.call_tool("generate_image", {"prompt": prompt, "wait_s": WAIT_S})
    has_picture = any(part.type == "image" for part in result.content)
    return (prompt, time.time()) if has_picture and not result.is_error else None


async def _run_plain_loop(client: httpx2.AsyncClient, prompt: str) -> tuple[str, float]:
    """What somebody would write who has one job: submit, ask every two seconds, download."""
    body = {"model_id": "artist_v0.5.0", "prompt": prompt, "samples": 1}
    task_id = (await client.post("/v1/imgenstd/imgen", json=body)).json()["task_id"]
    while True:
        await asyncio.sleep(PLAIN_LOOP_S)
        task: dict[str, Any] = (await client.get(f"/v1/imgenstd/result/{task_id}")).json()
        if (task.get("info") or task)["state"] == "SUCCESS":
            break
    (await client.get((task.get("info") or task)["images"][0]["raw"])).raise_for_status()
    return prompt, time.time()


def _measure_delays_s(folder: Path, answer_times: dict[str, float]) -> list[float]:
    """From the moment the upstream was done to the moment the caller had its picture."""
    store = TaskStore()
    store.open(folder)
    tasks = [task for place in (folder / "tasks").iterdir() for task in store.list_tasks(place.name)]
    ends = {task.arguments["prompt"]: task.ends_at for task in tasks}
    return [answered_at - ends[prompt] for prompt, answered_at in answer_times.items()]


async def _measure_server(folder: Path) -> tuple[list[float], float]:
    """The delays of the tool calls that were answered with a picture, and status requests per job."""
    async with run_emulator(folder / "emulator") as base_url:
        environ = {
            "ATELIER_HOME": str(folder / "home"),
            "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
            "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
            "MHAPI_BASE_URL": f"{base_url}/mhapi",
        }
        async with spawn_server(environ) as client:
            # What such jobs take is learned, and the workers that read pictures are there.
            await asyncio.gather(*(_call_tool(client, f"a first kite {n}") for n in range(8)))
            answers = await asyncio.gather(*(_call_tool(client, f"kite {n}") for n in range(JOBS)))
    delays_s = _measure_delays_s(folder / "emulator", dict(answer for answer in answers if answer))
    polls = [entry for entry in read_access_log(folder / "emulator" / "access.jsonl") if "result" in entry["path"]]
    return delays_s, len(polls) / JOBS


async def _measure_plain_loop(folder: Path) -> list[float]:
    async with run_emulator(folder / "emulator") as base_url:
        now_s = int(time.time())
        claims = {"iss": DEMO_ACCESS_KEY, "exp": now_s + 600, "nbf": now_s - 5}
        token = jwt.encode(claims, DEMO_SECRET_KEY, algorithm="HS256")
        limits = httpx2.Limits(max_connections=100)
        async with httpx2.AsyncClient(
            base_url=f"{base_url}/mhapi", headers={"Authorization": f"Bearer {token}"}, limits=limits, timeout=60
        ) as client:
            answers = await asyncio.gather(*(_run_plain_loop(client, f"kite {n}") for n in range(JOBS)))
    return _measure_delays_s(folder / "emulator", dict(answers))


async def measure() -> None:
    """Report the time from done to answered beside the plain loop's, status requests per job, and jobs lost."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        plain_delays_s = await _measure_plain_loop(Path(first))
        delays_s, polls_per_job = await _measure_server(Path(second))
    name = f"{JOBS} jobs of {TASK_S:.0f} s at once"
    plain_mean_s, mean_s = (sum(delays) / max(1, len(delays)) for delays in (plain_delays_s, delays_s))
    report(
        Figure(f"{name}: lost", JOBS - len(delays_s), "jobs", at_most=0),
        Figure(f"{name}: status requests per job", polls_per_job, "", at_most=0.1),
        Figure(f"{name}: done to answered, a plain loop, mean", plain_mean_s * 1e3, "ms"),
        Figure(f"{name}: done to answered, mean", mean_s * 1e3, "ms"),
        Figure(f"{name}: done to answered, p95", compute_percentile(delays_s, 0.95) * 1e3, "ms"),
        Figure(f"{name}: mean, in those of the plain loop", mean_s / plain_mean_s, "", at_most=1 / 3),
    )


if __name__ == "__main__":
    asyncio.run(measure())
