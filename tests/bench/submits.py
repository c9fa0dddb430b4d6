"""Our own time in a submit: everything but the upstream, on a durable ledger, SQLite's and PostgreSQL's."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from atelier_mcp.server.clock import SystemClock
from tests.bench.figures import Figure, compute_percentile, report
from tests.jobs.doubles import ScriptedProvider, build_request, open_harness
from tests.support.postgres import PostgresServer, find_what_is_missing

SUBMITS = 400
CONCURRENT_SUBMITS = 50
DURABLE = {"fsync": "on", "full_page_writes": "on"}


async def _time_submits(folder: Path, ledger_url: str) -> list[float]:
    """Seconds of each of ``SUBMITS`` submits, one after the other, to an upstream that answers at once."""
    clock = SystemClock()
    durations_s: list[float] = []
    async with open_harness(folder, ScriptedProvider(clock), clock, ledger_url=ledger_url) as harness:
        await harness.submitter.start(build_request("the first opens the ledger"), caller="bench")
        for n in range(SUBMITS):
            started_s = time.perf_counter()
            await harness.submitter.start(build_request(f"kite {n}"), caller="bench")
            durations_s.append(time.perf_counter() - started_s)
    return durations_s


async def _time_concurrent_submits(folder: Path, ledger_url: str) -> float:
    """Seconds per submit when ``CONCURRENT_SUBMITS`` arrive together and share their flushes."""
    clock = SystemClock()
    async with open_harness(folder, ScriptedProvider(clock), clock, seed=1, ledger_url=ledger_url) as harness:
        await harness.submitter.start(build_request("the first opens the ledger"), caller="bench")
        started_s = time.perf_counter()
        await asyncio.gather(
            *(harness.submitter.start(build_request(f"{n} boats"), caller="bench") for n in range(CONCURRENT_SUBMITS))
        )
        return (time.perf_counter() - started_s) / CONCURRENT_SUBMITS


async def _measure_on(ledger: str, folder: Path, *, ledger_url: str, at_most_ms: float) -> None:
    durations_s = await _time_submits(folder, ledger_url)
    concurrent_s = await _time_concurrent_submits(folder, ledger_url)
    what = f"our own time in a submit, {ledger}"
    report(
        Figure(f"{what}: median", compute_percentile(durations_s, 0.5) * 1e3, "ms", at_most=at_most_ms),
        Figure(f"{what}: p95", compute_percentile(durations_s, 0.95) * 1e3, "ms"),
        Figure(f"{what}, {CONCURRENT_SUBMITS} at once", concurrent_s * 1e3, "ms"),
    )


async def measure() -> None:
    """Report the median, the slow end, and the share of one in a crowd."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        await _measure_on("SQLite", folder, ledger_url="", at_most_ms=2)
        if missing := find_what_is_missing():
            sys.stderr.write(f"submits: {missing}\n")
            return
        server = PostgresServer(folder / "postgres", settings=DURABLE)
        await asyncio.to_thread(server.start)
        stack.push_async_callback(asyncio.to_thread, server.close)
        await _measure_on("PostgreSQL", folder, ledger_url=server.build_url(), at_most_ms=5)


if __name__ == "__main__":
    asyncio.run(measure())
