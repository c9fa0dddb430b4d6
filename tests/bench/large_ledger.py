"""A ledger of a million jobs beside one of a hundred: listing, waiting, counting a day's spending and starting.

Both on the same disk, in turn, on SQLite and, where there is one, on PostgreSQL. The million is written behind the
ledger's back: ten thousand copies of each of the hundred, of past days and of two callers.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    from sqlalchemy import Column, ColumnElement, Connection, Table

    from atelier_mcp.server.jobs.model import JobId

JOBS = 100
COPIES = 10_000
TRIES = 100
CALLERS = ("me", "somebody else")
BUDGET = Budget(per_day=10_000_000, per_caller_day=10_000_000, unfinished_per_caller=1_000_000)


def _list_steps(harness: JobsHarness, recent_job_id: JobId) -> dict[str, Callable[[], Awaitable[object]]]:
    """The things a caller does, each to be done any number of times."""
    number = iter(range(1_000_000))

    async def list_jobs() -> None:
        assert await harness.ledger.list_recent(JobFilter(caller="me"), limit=20)

    async def wait() -> None:
        assert await harness.jobs.wait([recent_job_id], wait_s=0)

    async def start() -> None:
        await harness.submitter.start(build_request(f"{time.time_ns()} kites, {next(number)}"), caller="me")

    return {"list": list_jobs, "wait": wait, "start": start}


async def _time_in_turn(*harnesses: JobsHarness) -> dict[str, list[float]]:
    """Median seconds of each thing a caller does, by harness: in turn, so that all have the same weather."""
    recent = [(await harness.ledger.list_recent(JobFilter(caller="me"), limit=1))[0].id for harness in harnesses]
    steps = [_list_steps(harness, job_id) for harness, job_id in zip(harnesses, recent, strict=True)]
    medians_s: dict[str, list[float]] = {}
    for name in steps[0]:
        durations_s: list[list[float]] = [[] for _ in harnesses]
        for _ in range(TRIES):
            for own_steps, own_durations_s in zip(steps, durations_s, strict=True):
                started_s = time.perf_counter()
                await own_steps[name]()
                own_durations_s.append(time.perf_counter() - started_s)
        medians_s[name] = [compute_percentile(each, 0.5) for each in durations_s]
    return medians_s


async def _fill(harness: JobsHarness) -> None:
    """A hundred jobs, finished."""
    for n in range(JOBS):
        await harness.submitter.start(build_request(f"kite {n}"), caller=CALLERS[n % 2])
    unfinished = await harness.ledger.list_unfinished(harness.provider.account)
    await harness.jobs.wait([job.id for job in unfinished], wait_s=60)


def _multiply(location: str) -> None:
    """Copies of every finished job, a day of jobs each, and of what it cost; they end up on the disk."""
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
            connection.execute(text("CHECKPOINT"))
    engine.dispose()
    # What the copying has left to be written would be written while we measure.
    os.sync()


def _copy_rows(connection: Connection, table: Table, key: Column[str], ids: list[str]) -> None:
    number = select(literal(1).label("n")).cte("numbers", recursive=True)
    number = number.union_all(select(number.c.n + 1).where(number.c.n < COPIES))
    template = select(table).where(key.in_(ids)).subquery()
    new_key = func.substr(template.c[key.name], 1, 12) + "_" + cast(number.c.n, String)
    replaced = {key.name: new_key}
    if "created_at" in template.c:
        replaced["created_at"] = _subtract_seconds(connection, template.c.created_at, number.c.n)
    columns = [replaced.get(column.name, template.c[column.name]) for column in table.columns]
    rows = select(*columns).select_from(template.join(number, literal(value=True)))
    connection.execute(insert(table).from_select([column.name for column in table.columns], rows))


def _subtract_seconds(connection: Connection, moment: ColumnElement[Any], seconds: ColumnElement[int]) -> Any:
    """Jobs come one by one: ten thousand of the same moment would have to be put in order at each listing."""
    if connection.dialect.name == "postgresql":
        return moment - seconds * text("interval '1 second'")
    return func.strftime("%Y-%m-%d %H:%M:%f000", moment, "-" + cast(seconds, String) + " seconds")


async def _measure_on(kind: str, folder: Path, *, few_url: str = "", many_url: str = "") -> None:
    """Ledgers without a URL are SQLite files in ``folder``."""
    clock = SystemClock()
    provider = ScriptedProvider(clock)
    provider.done_after_s = 0.1
    folders = [folder / name for name in ("few", "many")]
    open_few, open_many = (
        partial(open_harness, own_folder, provider, clock, budget=BUDGET, ledger_url=url)
        for own_folder, url in zip(folders, (few_url, many_url), strict=True)
    )
    for own_folder, open_one in zip(folders, (open_few, open_many), strict=True):
        own_folder.mkdir(parents=True)
        async with open_one() as harness:
            await _fill(harness)
    await asyncio.to_thread(_multiply, many_url or str(folders[1] / "ledger.db"))
    async with open_few(seed=2) as few, open_many(seed=2) as many:
        medians_s = await _time_in_turn(few, many)
    for name, (few_s, many_s) in medians_s.items():
        what = f"{JOBS * COPIES:,} jobs, {kind}: {name}"
        report(
            Figure(what, many_s * 1e3, "ms"),
            Figure(f"{what}, in times of that with {JOBS}", many_s / few_s, "", at_most=1.2),
        )


async def measure() -> None:
    """Report the medians with a million jobs, and how much longer they are than with a hundred."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        await _measure_on("SQLite", folder / "sqlite")
        if missing := find_what_is_missing():
            sys.stderr.write(f"large_ledger: {missing}\n")
            return
        server = PostgresServer(folder / "postgres")
        await asyncio.to_thread(server.start)
        stack.push_async_callback(asyncio.to_thread, server.close)
        for name in ("few", "many"):  # databases, since notifications go to a whole one
            await asyncio.to_thread(server.execute, f"CREATE DATABASE {name}")
        few_url, many_url = server.build_url("few"), server.build_url("many")
        await _measure_on("PostgreSQL", folder / "files", few_url=few_url, many_url=many_url)


if __name__ == "__main__":
    asyncio.run(measure())
