"""A ledger of a million jobs beside one of a hundred: listing, waiting, counting a day's spending and starting.

Both on the same disk in the same run, on SQLite and, where there is one, on PostgreSQL. The million is written behind
the ledger's back: ten thousand copies of each of the hundred, of past days and of two callers.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import String, cast, func, insert, literal, select, text, update

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.model import JobFilter
from atelier_mcp.server.jobs.tables import jobs, spending
from tests.bench.figures import Figure, compute_percentile, report
from tests.jobs.doubles import JobsHarness, ScriptedProvider, build_request, open_harness
from tests.support.ledger_places import create_plain_engine
from tests.support.postgres import PostgresServer, find_what_is_missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Column, Connection, Table

JOBS = 100
COPIES = 10_000
TRIES = 100
CALLERS = ("me", "somebody else")
BUDGET = Budget(per_day=10_000_000, per_caller_day=10_000_000, unfinished_per_caller=1_000_000)


async def _time_each(harness: JobsHarness) -> dict[str, float]:
    """Median seconds of each thing a caller does."""
    number = iter(range(1_000_000))
    recent = await harness.ledger.list_recent(JobFilter(caller="me"), limit=1)

    async def list_jobs() -> None:
        assert await harness.ledger.list_recent(JobFilter(caller="me"), limit=20)

    async def wait() -> None:
        assert await harness.jobs.wait([recent[0].id], wait_s=0)

    async def start() -> None:
        await harness.submitter.start(build_request(f"{time.time_ns()} kites, {next(number)}"), caller="me")

    steps: dict[str, Callable[[], Awaitable[None]]] = {"list": list_jobs, "wait": wait, "start": start}
    return {name: await _time_median(step) for name, step in steps.items()}


async def _time_median(step: Callable[[], Awaitable[None]]) -> float:
    durations_s: list[float] = []
    for _ in range(TRIES):
        started_s = time.perf_counter()
        await step()
        durations_s.append(time.perf_counter() - started_s)
    return compute_percentile(durations_s, 0.5)


async def _fill(harness: JobsHarness) -> None:
    """A hundred jobs, finished."""
    for n in range(JOBS):
        await harness.submitter.start(build_request(f"kite {n}"), caller=CALLERS[n % 2])
    unfinished = await harness.ledger.list_unfinished(harness.provider.account)
    await harness.jobs.wait([job.id for job in unfinished], wait_s=60)


def _multiply(location: str) -> None:
    """Copies of every finished job, a day of jobs each, and of what it cost."""
    engine = create_plain_engine(location)
    with engine.begin() as connection:
        finished = connection.execute(select(jobs.c.id, jobs.c.created_at).where(jobs.c.finished).limit(JOBS)).all()
        for number, row in enumerate(finished):
            # The copies of the first one are of today.
            created_at = row.created_at - timedelta(days=number)
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(created_at=created_at))
            day = to_utc_day(created_at)
            connection.execute(update(spending).where(spending.c.job_id == row.id).values(day=day))
        ids = [row.id for row in finished]
        _copy_rows(connection, jobs, jobs.c.id, ids)
        _copy_rows(connection, spending, spending.c.job_id, ids)
    # As its autovacuum would, which is off here; nothing ever analyses a SQLite ledger.
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _copy_rows(connection: Connection, table: Table, key: Column[str], ids: list[str]) -> None:
    number = select(literal(1).label("n")).cte("numbers", recursive=True)
    number = number.union_all(select(number.c.n + 1).where(number.c.n < COPIES))
    template = select(table).where(key.in_(ids)).subquery()
    new_key = func.substr(template.c[key.name], 1, 12) + "_" + cast(number.c.n, String)
    columns = [new_key if column is key else template.c[column.name] for column in table.columns]
    rows = select(*columns).select_from(template.join(number, literal(value=True)))
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))


async def _measure_on(kind: str, folder: Path, ledger_url: str) -> None:
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    provider.done_after_s = 0.1
    async with open_harness(folder, provider, clock, budget=BUDGET, ledger_url=ledger_url) as harness:
        await _fill(harness)
        few = await _time_each(harness)
    await asyncio.to_thread(_multiply, ledger_url or str(folder / "ledger.db"))
    async with open_harness(folder, provider, clock, seed=2, budget=BUDGET, ledger_url=ledger_url) as harness:
        many = await _time_each(harness)
    for name, seconds in many.items():
        what = f"{JOBS * COPIES:,} jobs, {kind}: {name}"
        report(
            Figure(what, seconds * 1e3, "ms"),
            Figure(f"{what}, in times of that with {JOBS}", seconds / few[name], "", at_most=1.2),
        )


async def measure() -> None:
    """Report the medians with a million jobs, and how much longer they are than with a hundred."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        (folder / "sqlite").mkdir()
        await _measure_on("SQLite", folder / "sqlite", "")
        if missing := find_what_is_missing():
            sys.stderr.write(f"large_ledger: {missing}\n")
            return
        server = PostgresServer(folder / "postgres")
        await asyncio.to_thread(server.start)
        stack.push_async_callback(asyncio.to_thread, server.close)
        await _measure_on("PostgreSQL", folder, server.build_url())


if __name__ == "__main__":
    asyncio.run(measure())
