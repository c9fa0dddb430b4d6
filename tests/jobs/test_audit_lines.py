"""Lines for the audit log: as many as commits, whatever fails and whoever dies in between."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import BudgetExceeded
from atelier_mcp.server.jobs.audit import AuditLog
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.ledger import AUDIT_STALE_S, Ledger, open_ledger
from atelier_mcp.server.jobs.model import Failed, Queued
from tests.jobs.test_ledger import TASK, build_job, open_job
from tests.support.ledger_places import execute_behind

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.support.clock import ManualClock

    OpenAudited = Callable[[], AbstractAsyncContextManager[Ledger]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def open_audited(ledger_url: str, path: Path, clock: ManualClock) -> OpenAudited:
    """A process that keeps books."""
    return lambda: open_ledger(ledger_url, clock=clock, audit=AuditLog(path))


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def list_events(path: Path) -> list[tuple[str, str, int]]:
    return [(line["event"], line["job"], line["pictures"]) for line in read_lines(path)]


async def test_what_is_rolled_back_has_no_line(open_audited: OpenAudited, path: Path) -> None:
    """A budget's refusal, a job that cannot be written, a move that comes too late."""
    async with open_audited() as ledger:
        await open_job(ledger, build_job("1"))
        outcomes = await asyncio.gather(
            open_job(ledger, replace(build_job("1"), caller="you")),  # its id is taken
            open_job(ledger, build_job("2"), budget=Budget(per_job=0)),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], BudgetExceeded)
        await ledger.move(build_job("1").id, Failed("no"), charge=0)
        await ledger.move(build_job("1").id, Queued(TASK), charge=7)
    assert list_events(path) == [("reserved", "job_1", 1), ("settled", "job_1", 0)]


async def test_an_equal_request_that_joins_has_no_line_of_its_own(open_audited: OpenAudited, path: Path) -> None:
    async with open_audited() as ledger:
        await open_job(ledger, build_job("1"), fingerprint="f")
        await open_job(ledger, build_job("2"), fingerprint="f")
    assert list_events(path) == [("reserved", "job_1", 1)]


async def test_a_file_that_cannot_be_written_gets_its_lines_later(
    open_audited: OpenAudited, path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The job is paid for by then, and the books are complete in the end."""
    path.mkdir()
    async with open_audited() as ledger:
        await open_job(ledger, build_job("1"))
        await ledger.list_unfinished("a:1")
    assert "spending is not in the audit log yet" in caplog.text
    path.rmdir()
    await clock.advance(AUDIT_STALE_S + 1)
    async with open_audited() as ledger:
        await ledger.list_unfinished("a:1")
    assert list_events(path) == [("reserved", "job_1", 1)]


@pytest.mark.parametrize("age_s", [AUDIT_STALE_S + 1, -3600], ids=["stale", "by a clock an hour ahead"])
async def test_what_a_process_that_died_left_is_put_in_by_the_next(
    open_audited: OpenAudited, ledger_url: str, path: Path, clock: ManualClock, age_s: float
) -> None:
    """Killed between the commit and the file: the line is in the ledger, once."""
    async with open_audited() as ledger:
        await ledger.list_unfinished("a:1")
    moment = (clock.now() - timedelta(seconds=age_s)).strftime("%Y-%m-%d %H:%M:%S.000000")
    execute_behind(
        ledger_url,
        "INSERT INTO audit_lines (process, written_at, line) "
        f"""VALUES ('dead', '{moment}', '{{"event": "reserved", "job": "job_1", "pictures": 1}}')""",
    )
    for _ in range(2):
        async with open_audited() as ledger:
            await ledger.list_unfinished("a:1")
    assert list_events(path) == [("reserved", "job_1", 1)]
    assert execute_behind(ledger_url, "SELECT count(*) FROM audit_lines") == [(0,)]


async def test_several_processes_put_each_line_in_once(open_audited: OpenAudited, path: Path) -> None:
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(open_audited()) for _ in range(3)]
        await asyncio.gather(*(open_job(ledgers[n % 3], build_job(str(n))) for n in range(60)))
    lines = read_lines(path)
    assert sorted(line["job"] for line in lines) == sorted(f"job_{n}" for n in range(60))
    assert len({line["id"] for line in lines}) == 60
