"""Three hundred jobs of five seconds at once, through the real client stack and the emulator over real sockets.

The emulator runs in a process of its own with an engine that draws in no time, so that nothing but the way there and
back is measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.task_store import TaskStore
from atelier_mcp.server.jobs.model import Succeeded, get_upstream_task
from atelier_mcp.server.service_opening import open_services
from atelier_mcp.server.settings import load_settings
from tests.bench.figures import Figure, compute_percentile, report
from tests.jobs.doubles import build_request

if TYPE_CHECKING:
    from atelier_mcp.server.services import Services

JOBS = 300
TASK_S = 5.0

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


async def _start_and_wait(services: Services, n: int) -> tuple[str, float] | None:
    """One caller: the upstream's task and when its answer was here, in Unix seconds; nothing when it failed."""
    started = await services.submitter.start(build_request(f"kite {n}"), caller=f"caller {n}")
    (job,) = await services.jobs.wait([started.job.id], wait_s=180)
    answered_at = time.time()
    task = get_upstream_task(started.job.state)
    return (task.id, answered_at) if task and isinstance(job.state, Succeeded) else None


async def _run_jobs(base_url: str, home: Path) -> list[tuple[str, float]]:
    settings = load_settings(
        {
            "ATELIER_HOME": str(home),
            "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
            "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
            "MHAPI_BASE_URL": f"{base_url}/mhapi",
        }
    )
    async with open_services(settings, clock=SystemClock(), transport="stdio") as services:
        await asyncio.gather(
            *(_start_and_wait(services, 10_000 + n) for n in range(8))
        )  # what such jobs take is learned
        answer_times = await asyncio.gather(*(_start_and_wait(services, n) for n in range(JOBS)))
    return [answer for answer in answer_times if answer is not None]


async def measure() -> None:
    """Report status requests per job, the time from done to answered, and jobs lost."""
    with tempfile.TemporaryDirectory() as folder:
        state, home = Path(folder) / "emulator", Path(folder) / "home"
        state.mkdir()
        emulator = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _EMULATOR,
            str(state),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
        assert emulator.stdin is not None
        assert emulator.stdout is not None
        try:
            base_url = (await emulator.stdout.readline()).decode().strip()
            answer_times = await _run_jobs(base_url, home)
        finally:
            emulator.stdin.close()
            await emulator.wait()
        delays_s, poll_count = _measure_delays_s(state, dict(answer_times)), _count_polls(state / "access.jsonl")
    name = f"{JOBS} jobs of {TASK_S:.0f} s at once"
    report(
        Figure(f"{name}: status requests per job", poll_count / JOBS, "", at_most=1),
        Figure(f"{name}: done to answered, mean", sum(delays_s) / len(delays_s) * 1e3, "ms", at_most=300),
        Figure(f"{name}: done to answered, p95", compute_percentile(delays_s, 0.95) * 1e3, "ms"),
        Figure(f"{name}: lost", JOBS - len(answer_times), "jobs", at_most=0),
    )


def _measure_delays_s(state: Path, answer_times: dict[str, float]) -> list[float]:
    """From the moment the upstream was done to the moment the caller had its pictures."""
    store = TaskStore()
    store.open(state)
    services = [folder.name for folder in (state / "tasks").iterdir()]
    return [
        answer_times[task.task_id] - task.ends_at
        for service in services
        for task in store.list_tasks(service)
        if task.task_id in answer_times
    ]


def _count_polls(access_log: Path) -> int:
    paths = [json.loads(line)["path"] for line in access_log.read_text("utf-8").splitlines()]
    return sum("result" in path.lower() for path in paths)


if __name__ == "__main__":
    asyncio.run(measure())
