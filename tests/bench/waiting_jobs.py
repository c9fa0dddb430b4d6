"""A thousand jobs, each with a caller waiting for it: memory, event loop, and none lost."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

import atelier_mcp.server.app  # noqa: F401  # pyright: ignore[reportUnusedImport]  # what a server has loaded counts as well
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.model import Succeeded
from tests.bench.figures import Figure, compute_percentile, read_memory_mb, report
from tests.jobs.doubles import JobsHarness, ScriptedProvider, build_request, open_harness

JOBS = 1000
TASK_S = 15.0
TICK_S = 0.005


async def _record_delays(delays_s: list[float]) -> None:
    """How late the event loop wakes a sleeper, again and again."""
    while True:
        started_s = time.perf_counter()
        await asyncio.sleep(TICK_S)
        delays_s.append(time.perf_counter() - started_s - TICK_S)


async def _start_and_wait(harness: JobsHarness, n: int) -> bool:
    """One caller: start a job and wait for its pictures."""
    started = await harness.submitter.start(build_request(f"kite {n}"), caller=f"caller {n}")
    (job,) = await harness.jobs.wait([started.job.id], wait_s=120)
    return isinstance(job.state, Succeeded)


async def measure() -> None:
    """Report memory, delay of the event loop, jobs lost and status requests per job."""
    clock, delays_s = SystemClock(), list[float]()
    provider = ScriptedProvider(clock)
    provider.done_after_s = TASK_S
    with tempfile.TemporaryDirectory() as folder:
        async with open_harness(Path(folder), provider, clock) as harness:
            delay_task = asyncio.create_task(_record_delays(delays_s))
            calls = [asyncio.create_task(_start_and_wait(harness, n)) for n in range(JOBS)]
            await asyncio.sleep(TASK_S / 2)
            memory_mb = read_memory_mb(os.getpid())
            succeeded = sum(await asyncio.gather(*calls))
            delay_task.cancel()
    report(
        Figure(f"{JOBS} jobs waiting: memory", memory_mb, "MB", at_most=110),
        Figure(
            f"{JOBS} jobs waiting: event loop delay p99", compute_percentile(delays_s, 0.99) * 1e3, "ms", at_most=20
        ),
        Figure(f"{JOBS} jobs waiting: lost", JOBS - succeeded, "jobs", at_most=0),
        Figure(f"{JOBS} jobs waiting: status requests per job", len(provider.polls) / JOBS, "", at_most=1),
    )


if __name__ == "__main__":
    asyncio.run(measure())
