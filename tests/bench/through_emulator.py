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

from tests.bench.figures import Figure, percentile, tell
from tests.jobs.doubles import words

from atelier_mcp.server.app import open_rooms
from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.task_store import TaskStore
from atelier_mcp.server.jobs.clock import SystemClock
from atelier_mcp.server.jobs.model import Succeeded, task_of
from atelier_mcp.server.settings import Settings

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.service import JobService

JOBS = 300
TASK_S = 5.0

_EMULATOR = f"""
import asyncio, sys
from pathlib import Path
from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.emulated import PaintBox

async def main(folder):
    settings = EmulatorSettings(
        state_dir=folder, access_log=folder / "access.jsonl", task_seconds={TASK_S}, rate_per_s=None
    )
    async with EmbeddedEmulator(PaintBox(), settings) as emulator:
        print(emulator.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(Path(sys.argv[1])))
"""


async def _called(jobs: JobService, n: int) -> tuple[str, float] | None:
    """One caller: the upstream's task and when its answer was here, in Unix seconds; nothing when it failed."""
    started = await jobs.start(words(f"kite {n}"), caller=f"caller {n}")
    (job,) = await jobs.wait([started.job.id], wait_s=180)
    answered = time.time()
    task = task_of(started.job.state)
    return (task.id, answered) if task and isinstance(job.state, Succeeded) else None


async def _driven(base_url: str, home: Path) -> list[tuple[str, float]]:
    settings = Settings.model_validate(
        {
            "ATELIER_HOME": home,
            "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
            "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
            "MHAPI_BASE_URL": f"{base_url}/mhapi",
        }
    )
    async with open_rooms(settings, clock=SystemClock(), transport="stdio") as rooms:
        await asyncio.gather(*(_called(rooms.jobs, 10_000 + n) for n in range(8)))  # what such jobs take is learned
        answers = await asyncio.gather(*(_called(rooms.jobs, n) for n in range(JOBS)))
    return [answer for answer in answers if answer is not None]


async def measure() -> None:
    """Tell status requests per job, the time from done to answered, and jobs lost."""
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
            answers = await _driven(base_url, home)
        finally:
            emulator.stdin.close()
            await emulator.wait()
        late_s, looks = _late_s(state, dict(answers)), _looks(state / "access.jsonl")
    name = f"{JOBS} jobs of {TASK_S:.0f} s at once"
    tell(
        Figure(f"{name}: status requests per job", looks / JOBS, "", at_most=1),
        Figure(f"{name}: done to answered, mean", sum(late_s) / len(late_s) * 1e3, "ms", at_most=300),
        Figure(f"{name}: done to answered, p95", percentile(late_s, 0.95) * 1e3, "ms"),
        Figure(f"{name}: lost", JOBS - len(answers), "jobs", at_most=0),
    )


def _late_s(state: Path, answered: dict[str, float]) -> list[float]:
    """From the moment the upstream was done to the moment the caller had its pictures."""
    store = TaskStore()
    store.open(state)
    services = [folder.name for folder in (state / "tasks").iterdir()]
    return [
        answered[task.task_id] - task.ends_at
        for service in services
        for task in store.tasks(service)
        if task.task_id in answered
    ]


def _looks(access_log: Path) -> int:
    paths = [json.loads(line)["path"] for line in access_log.read_text("utf-8").splitlines()]
    return sum("result" in path.lower() for path in paths)


if __name__ == "__main__":
    asyncio.run(measure())
