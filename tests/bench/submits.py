"""Our own time in a submit: everything but the upstream, on a durable SQLite ledger."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from atelier_mcp.server.clock import SystemClock
from tests.bench.figures import Figure, compute_percentile, report
from tests.jobs.doubles import ScriptedProvider, build_request, open_harness

SUBMITS = 400
CONCURRENT_SUBMITS = 50


async def _time_submits(folder: Path) -> list[float]:
    """Seconds of each of ``SUBMITS`` submits, one after the other, to an upstream that answers at once."""
    clock = SystemClock()
    durations_s: list[float] = []
    async with open_harness(folder, ScriptedProvider(clock), clock) as harness:
        await harness.submitter.start(build_request("the first opens the ledger"), caller="bench")
        for n in range(SUBMITS):
            started_s = time.perf_counter()
            await harness.submitter.start(build_request(f"kite {n}"), caller="bench")
            durations_s.append(time.perf_counter() - started_s)
    return durations_s


async def _time_concurrent_submits(folder: Path) -> float:
    """Seconds per submit when ``CONCURRENT_SUBMITS`` arrive together and share their flushes."""
    clock = SystemClock()
    async with open_harness(folder, ScriptedProvider(clock), clock) as harness:
        await harness.submitter.start(build_request("the first opens the ledger"), caller="bench")
        started_s = time.perf_counter()
        await asyncio.gather(
            *(harness.submitter.start(build_request(f"kite {n}"), caller="bench") for n in range(CONCURRENT_SUBMITS))
        )
        return (time.perf_counter() - started_s) / CONCURRENT_SUBMITS


async def measure() -> None:
    """Report the median, the slow end, and the share of one in a crowd."""
    with tempfile.TemporaryDirectory() as sequential_folder, tempfile.TemporaryDirectory() as concurrent_folder:
        durations_s = await _time_submits(Path(sequential_folder))
        concurrent_s = await _time_concurrent_submits(Path(concurrent_folder))
    report(
        Figure(
            "our own time in a submit, SQLite, durable: median",
            compute_percentile(durations_s, 0.5) * 1e3,
            "ms",
            at_most=5,
        ),
        Figure("our own time in a submit, SQLite, durable: p95", compute_percentile(durations_s, 0.95) * 1e3, "ms"),
        Figure(f"our own time per submit, {CONCURRENT_SUBMITS} at once", concurrent_s * 1e3, "ms"),
    )


if __name__ == "__main__":
    asyncio.run(measure())
