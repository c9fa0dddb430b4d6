"""Three servers on one PostgreSQL: jobs asked for at each and waited for at the next.

How long after the end of a job those hear of it who wait at another server than the one that polls it; and whether any
job is lost, or sent twice.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.model import Succeeded
from tests.bench.figures import Figure, compute_percentile, report
from tests.jobs.doubles import ScriptedProvider, build_request, open_harness
from tests.support.postgres import PostgresServer, find_what_is_missing

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job, JobId
    from tests.jobs.doubles import JobsHarness

SERVERS = 3
JOBS = 300
TASK_S = 3.0


class _EndTimes:
    """When the ledger of one server said that jobs had ended: after its commit, and before anybody else was told."""

    def __init__(self) -> None:
        self.by_job: dict[JobId, float] = {}

    def note(self, job: Job) -> None:
        """Take the time of an end: when the first server knew of it."""
        if job.is_finished:
            self.by_job.setdefault(job.id, time.perf_counter())


async def _wait_at(other: JobsHarness, job_id: JobId) -> float:
    """When somebody at ``other`` heard of the end."""
    await other.jobs.wait([job_id], wait_s=60)
    return time.perf_counter()


async def measure() -> None:
    """Report how late the waiters were."""
    if missing := find_what_is_missing():
        sys.stderr.write(f"replicas: {missing}\n")
        return
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    provider.done_after_s = TASK_S
    ends = _EndTimes()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        server = PostgresServer(folder / "postgres")
        await asyncio.to_thread(server.start)
        stack.push_async_callback(asyncio.to_thread, server.close)
        url = server.build_url()
        servers = [
            await stack.enter_async_context(open_harness(folder, provider, clock, seed=seed, ledger_url=url))
            for seed in range(SERVERS)
        ]
        for server in servers:
            stack.enter_context(server.ledger.events.listen(ends.note))
        started = await asyncio.gather(
            *(servers[n % SERVERS].submitter.start(build_request(f"kite {n}"), caller="me") for n in range(JOBS))
        )
        jobs = [one.job for one in started]
        heard_at_s = await asyncio.gather(*(_wait_at(servers[(n + 1) % SERVERS], job.id) for n, job in enumerate(jobs)))
        finished = await servers[0].jobs.get([job.id for job in jobs])
    delays_ms = [1e3 * max(0.0, at_s - ends.by_job[job.id]) for job, at_s in zip(jobs, heard_at_s, strict=True)]
    what = f"{SERVERS} servers, {JOBS} jobs waited for at another one: heard of the end after"
    report(
        Figure(
            f"{SERVERS} servers, {JOBS} jobs: lost",
            sum(not isinstance(job.state, Succeeded) for job in finished),
            "jobs",
            at_most=0,
        ),
        Figure(f"{SERVERS} servers, {JOBS} jobs: sent twice", len(provider.submits) - JOBS, "jobs", at_most=0),
        Figure(f"{what}, median", compute_percentile(delays_ms, 0.5), "ms"),
        Figure(f"{what}, p99", compute_percentile(delays_ms, 0.99), "ms", at_most=100),
    )


if __name__ == "__main__":
    asyncio.run(measure())
