"""What every ledger promises, whatever database is under it."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import BudgetExceeded, ConfigurationError, JobNotFound
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.budget import Budget, Spending
from atelier_mcp.server.jobs.ledger import Ledger, open_ledger
from atelier_mcp.server.jobs.model import (
    Cancelled,
    Failed,
    Job,
    JobFilter,
    JobId,
    JobImage,
    Queued,
    Running,
    Saving,
    Submitting,
    Succeeded,
    Unconfirmed,
)
from atelier_mcp.server.providers.base import UpstreamTask
from tests.jobs.doubles import read_spending
from tests.support.clock import ManualClock
from tests.support.ledger_places import execute_behind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TASK = UpstreamTask("t1", "pictures")
NO_LIMITS = Budget()


@pytest.fixture
def place(ledger_url: str) -> str:
    """Where each kind of ledger lies."""
    return ledger_url


@pytest.fixture
def reopen(place: str) -> Callable[[], Ledger]:
    """Another process' ledger at the same place."""
    return lambda: Ledger(place, clock=ManualClock())


@pytest.fixture
async def ledger(place: str, clock: ManualClock) -> AsyncGenerator[Ledger]:
    async with open_ledger(place, clock=clock) as opened:
        yield opened


def build_job(name: str, *, cost: int = 1, account: str = "a:1", caller: str = "me", at: datetime = NOON) -> Job:
    return Job(
        id=JobId(f"job_{name}"),
        capability="generate_image",
        provider="a",
        account=account,
        caller=caller,
        request={"prompt": "ein Föhn 风"},
        notes=("model m",),
        image_count=cost,
        created_at=at,
        updated_at=at,
        deadline=at + timedelta(minutes=30),
        state=Submitting(),
    )


async def open_job(ledger: Ledger, new: Job, *, budget: Budget = NO_LIMITS, fingerprint: str | None = None) -> Job:
    return await ledger.open_job(new, fingerprint=fingerprint or new.id, budget=budget, process="p1")


async def test_reads_at_once_each_get_their_own_answer_and_one_that_fails_fails_alone(ledger: Ledger) -> None:
    jobs = [build_job(name) for name in "abc"]
    await asyncio.gather(*(open_job(ledger, job) for job in jobs))
    reads = [asyncio.create_task(ledger.get([JobId(job_id)])) for job_id in ("job_a", "job_b", "job_x", "job_c")]
    await asyncio.sleep(0)
    reads[1].cancel()
    first, cancelled, missing, last = await asyncio.gather(*reads, return_exceptions=True)
    assert (first, last) == ([jobs[0]], [jobs[2]])
    assert isinstance(cancelled, asyncio.CancelledError)
    assert isinstance(missing, JobNotFound)


async def test_a_job_is_read_back_as_it_was_written(ledger: Ledger, reopen: Callable[[], Ledger]) -> None:
    written = await open_job(ledger, build_job("1"))
    other = reopen()
    assert await other.get([written.id]) == [written]
    await other.close()


async def test_every_step_of_a_job_is_read_back(ledger: Ledger) -> None:
    new = await open_job(ledger, build_job("1"))
    for state in (
        Queued(TASK),
        Running(TASK, 0.5, "half"),
        Saving(TASK, (OutputImage("https://x.example/1", seed=3), OutputImage(data=b"\x89PNG"))),
        Succeeded((JobImage("img_1", 3),), {"text": "a"}, ("Sensitive",)),
    ):
        moved = await ledger.move(new.id, state)
        assert moved.state == state
        assert await ledger.get([new.id]) == [moved]


async def test_unknown_ids_are_named(ledger: Ledger) -> None:
    known = await open_job(ledger, build_job("1"))
    with pytest.raises(JobNotFound, match=r"No job has the id job_x, job_y\."):
        await ledger.get([JobId("job_x"), known.id, JobId("job_y")])


async def test_jobs_come_in_the_order_asked_for_even_twice(ledger: Ledger) -> None:
    ids = [(await open_job(ledger, build_job(str(n)))).id for n in range(3)]
    wanted = [ids[2], ids[0], ids[2]]
    assert [found.id for found in await ledger.get(wanted)] == wanted


@pytest.mark.parametrize(
    "final",
    [Succeeded(()), Failed("x"), Cancelled(upstream_stopped=False), Unconfirmed()],
    ids=lambda s: type(s).__name__,
)
async def test_a_final_state_is_never_overwritten(
    ledger: Ledger, final: Succeeded | Failed | Cancelled | Unconfirmed
) -> None:
    new = await open_job(ledger, build_job("1"))
    await ledger.move(new.id, final)
    for later in (Queued(TASK), Running(TASK), Saving(TASK, ()), Succeeded((JobImage("img_9"),)), Unconfirmed()):
        assert (await ledger.move(new.id, later)).state == final
    assert (await ledger.get([new.id]))[0].state == final


async def test_a_move_may_name_the_only_states_it_comes_from_even_final_ones(ledger: Ledger) -> None:
    new = await open_job(ledger, build_job("1"))
    stopped, cancelled = Cancelled(upstream_stopped=True), Cancelled(upstream_stopped=False)
    assert (await ledger.move(new.id, stopped, only_from=(Queued,))).state == Submitting()
    assert (await ledger.move(new.id, cancelled, only_from=(Submitting,))).state == cancelled
    assert (await ledger.move(new.id, stopped, only_from=(Cancelled,))).state == stopped
    assert (await ledger.get([new.id]))[0].state == stopped


async def test_a_cancelled_job_that_goes_on_does_not_stand_in_the_way_of_its_like(ledger: Ledger) -> None:
    """The claim is given up with the first final state."""
    first = await open_job(ledger, build_job("1"), fingerprint="f")
    await ledger.move(first.id, Cancelled(upstream_stopped=False))
    second = await open_job(ledger, build_job("2"), fingerprint="f")
    saving = await ledger.move(first.id, Saving(None, ()), only_from=(Cancelled,))
    assert not saving.is_finished
    assert await ledger.find_unfinished_duplicate("me", "f") == second
    assert (await ledger.load_live_waits("a:1")).keys() == {first.id}


async def test_a_job_does_not_go_backwards(ledger: Ledger) -> None:
    new = await open_job(ledger, build_job("1"))
    saving = await ledger.move(new.id, Saving(TASK, ()))
    assert await ledger.move(new.id, Running(TASK)) == saving


async def test_an_accepted_job_does_not_become_unconfirmed(ledger: Ledger) -> None:
    new = await open_job(ledger, build_job("1"))
    accepted = await ledger.move(new.id, Queued(TASK))
    assert await ledger.move(new.id, Unconfirmed()) == accepted


async def test_many_jobs_move_at_once(ledger: Ledger) -> None:
    opened = await asyncio.gather(*(open_job(ledger, build_job(str(n))) for n in range(600)))
    ids = [job.id for job in opened]
    await ledger.move(ids[7], Failed("before"))
    moved = await ledger.move_all({job_id: Queued(TASK) for job_id in ids})
    assert [found.id for found in moved] == ids
    assert [found.id for found in moved if found.is_finished] == [ids[7]]
    assert (await ledger.load_live_waits("a:1")).keys() == set(ids) - {ids[7]}


async def test_the_same_request_of_the_same_caller_is_one_job_while_it_is_unfinished(ledger: Ledger) -> None:
    first = await open_job(ledger, build_job("1"), fingerprint="f")
    assert await open_job(ledger, build_job("2"), fingerprint="f") == first
    assert await ledger.find_unfinished_duplicate("me", "f") == first
    assert (await open_job(ledger, build_job("3", caller="you"), fingerprint="f")).id == "job_3"
    await ledger.move(first.id, Failed("x"))
    assert await ledger.find_unfinished_duplicate("me", "f") is None
    assert (await open_job(ledger, build_job("4"), fingerprint="f")).id == "job_4"


async def test_the_same_request_is_one_job_however_many_processes_ask_at_once(place: str, clock: ManualClock) -> None:
    ledgers = [Ledger(place, clock=clock) for _ in range(6)]
    jobs = await asyncio.gather(
        *(open_job(one, build_job(f"{n}"), fingerprint="f", budget=Budget(per_day=1)) for n, one in enumerate(ledgers))
    )
    assert len({found.id for found in jobs}) == 1
    assert read_spending(place, "a:1") == Spending(1, 1)
    for one in ledgers:
        await one.close()


async def test_the_budget_holds_however_many_ask_at_once(place: str, clock: ManualClock) -> None:
    ledgers = [Ledger(place, clock=clock) for _ in range(4)]
    budget = Budget(per_day=100)
    outcomes = await asyncio.gather(
        *(open_job(ledgers[n % 4], build_job(f"{n}"), budget=budget) for n in range(240)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Job) for outcome in outcomes) == 100
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 140
    assert read_spending(place, "a:1") == Spending(100, 100)
    assert len(await ledgers[0].list_unfinished("a:1")) == 100
    for one in ledgers:
        await one.close()


@pytest.mark.parametrize("budget", [NO_LIMITS, Budget(per_day=1000)], ids=["no budget", "budget"])
async def test_equal_requests_of_many_processes_at_once_are_one_job_each(
    place: str, clock: ManualClock, budget: Budget
) -> None:
    """Neither is refused nor fails: whoever comes second joins."""
    ledgers = [Ledger(place, clock=clock) for _ in range(4)]
    opened = await asyncio.gather(
        *(
            open_job(one, build_job(f"{number}_{n}"), budget=budget, fingerprint=f"f{n}")
            for n in range(40)
            for number, one in enumerate(ledgers)
        )
    )
    assert len({job.id for job in opened}) == 40
    assert all(len({job.id for job in opened[start : start + 4]}) == 1 for start in range(0, 160, 4))
    assert read_spending(place, "a:1") == Spending(40, 40)
    for one in ledgers:
        await one.close()


async def test_a_request_that_cannot_be_written_leaves_its_neighbours_in_the_same_flush_alone(ledger: Ledger) -> None:
    await open_job(ledger, build_job("0"))
    outcomes = await asyncio.gather(
        open_job(ledger, build_job("1")),
        open_job(ledger, replace(build_job("0"), caller="you")),  # its id is taken
        open_job(ledger, build_job("2"), budget=Budget(per_job=0)),
        open_job(ledger, build_job("3")),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Job) for outcome in outcomes] == [True, False, False, True]
    assert {job.id for job in await ledger.list_unfinished("a:1")} == {"job_0", "job_1", "job_3"}


@pytest.mark.parametrize("prompt", ["a\0b", "half of a pair: \ud83d", "a\u2028b"])
async def test_any_text_of_a_request_is_kept(ledger: Ledger, prompt: str) -> None:
    written = await open_job(ledger, replace(build_job("1"), request={"prompt": prompt}))
    assert await ledger.get([written.id]) == [written]


@pytest.mark.parametrize("job_id", ["job_\0", "j\u00f6b", "", "x" * 5000])
async def test_an_id_that_no_job_can_have_is_unknown(ledger: Ledger, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        await ledger.get([JobId(job_id)])


async def test_a_refusal_names_the_limit_what_is_left_and_when_it_starts_afresh(ledger: Ledger) -> None:
    budget = Budget(per_job=4, per_day=10, per_account_day={"a:1": 6})
    with pytest.raises(BudgetExceeded, match=r"ATELIER_BUDGET_PER_JOB, is 4 pictures a job; this one asks for 5\."):
        await open_job(ledger, build_job("0", cost=5), budget=budget)
    await open_job(ledger, build_job("1", cost=4), budget=budget)
    with pytest.raises(BudgetExceeded) as account:
        await open_job(ledger, build_job("2", cost=3), budget=budget)
    assert str(account.value).splitlines() == [
        "This server's own limit, ATELIER_BUDGET_PER_ACCOUNT_DAY, is 6 pictures a day at a:1: "
        "2 left, and this job asks for 3.",
        "Nothing was spent.",
        "Ask for at most 2, or wait: it starts afresh at 2026-11-21 00:00 UTC.",
    ]
    await open_job(ledger, build_job("3", cost=4, account="b:1"), budget=budget)
    with pytest.raises(BudgetExceeded, match=r"10 pictures a day: 2 left, and this job asks for 3\."):
        await open_job(ledger, build_job("4", cost=3, account="b:1"), budget=budget)
    assert {found.id for found in await ledger.list_recent(limit=9)} == {"job_1", "job_3"}


async def test_a_caller_has_a_budget_of_its_own(ledger: Ledger) -> None:
    """One who spends much leaves the others theirs."""
    budget = Budget(per_caller_day=4)
    await open_job(ledger, build_job("1", cost=3, caller="static:alice"), budget=budget)
    with pytest.raises(BudgetExceeded, match=r"ATELIER_BUDGET_PER_PRINCIPAL_DAY, is 4 pictures a day.*1 left"):
        await open_job(ledger, build_job("2", cost=2, caller="static:alice"), budget=budget)
    await open_job(ledger, build_job("3", cost=4, caller="static:bob"), budget=budget)


async def test_a_caller_has_so_many_unfinished_jobs_however_many_it_asks_for_at_once(
    place: str, clock: ManualClock
) -> None:
    """Also through several processes; one that ends makes room, and others are not counted."""
    budget = Budget(unfinished_per_caller=3)
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(open_ledger(place, clock=clock)) for _ in range(4)]
        asked = [open_job(ledgers[n % 4], build_job(f"{n}", caller="static:alice"), budget=budget) for n in range(8)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        opened = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        assert len(opened) == 3
        assert all("there are 3 of yours" in str(error) for error in outcomes if not isinstance(error, Job))
        await open_job(ledgers[0], build_job("b", caller="static:bob"), budget=budget)
        await ledgers[1].move(opened[0].id, Cancelled(upstream_stopped=True), charge=0)
        await open_job(ledgers[2], build_job("c", caller="static:alice"), budget=budget)


async def test_a_new_day_is_a_new_budget(ledger: Ledger) -> None:
    budget = Budget(per_day=1)
    await open_job(ledger, build_job("1", at=NOON.replace(hour=23)), budget=budget)
    with pytest.raises(BudgetExceeded):
        await open_job(ledger, build_job("2", at=NOON.replace(hour=23, minute=59)), budget=budget)
    await open_job(ledger, build_job("3", at=NOON + timedelta(hours=12)), budget=budget)


async def test_a_job_is_charged_what_it_made(ledger: Ledger, place: str) -> None:
    new = await open_job(ledger, build_job("1", cost=4))
    assert read_spending(place, "a:1") == Spending(4, 4)
    assert read_spending(place, "b:1") == Spending(4, 0)
    await ledger.move(new.id, Succeeded((JobImage("img_1"),)), charge=3)
    assert read_spending(place, "a:1") == Spending(3, 3)
    await ledger.move(new.id, Failed("too late"), charge=0)
    assert read_spending(place, "a:1") == Spending(3, 3)


async def test_jobs_are_listed_newest_first_by_state_and_page(ledger: Ledger) -> None:
    for n in range(5):
        await open_job(ledger, build_job(str(n), at=NOON + timedelta(seconds=n)))
    await ledger.move(JobId("job_3"), Failed("x"))
    assert [found.id for found in await ledger.list_recent(limit=2)] == ["job_4", "job_3"]
    assert [found.id for found in await ledger.list_recent(limit=2, offset=3)] == ["job_1", "job_0"]
    assert [found.id for found in await ledger.list_recent(JobFilter(states={"failed"}), limit=9)] == ["job_3"]
    assert await ledger.list_recent(JobFilter(states=set()), limit=9) == []


async def test_unfinished_jobs_are_found_by_account(ledger: Ledger) -> None:
    for n, account in enumerate(("a:1", "a:1", "b:1")):
        await open_job(ledger, build_job(str(n), account=account))
    await ledger.move(JobId("job_0"), Failed("x"))
    await ledger.move(JobId("job_2"), Queued(TASK))
    assert [found.id for found in await ledger.list_unfinished("a:1")] == ["job_1"]
    assert [found.id for found in await ledger.list_unfinished("b:1")] == ["job_2"]
    assert await ledger.load_live_waits("b:1") == {"job_2": None}
    await ledger.record_waiters([JobId("job_2")], until=NOON)
    assert await ledger.load_live_waits("b:1") == {"job_2": NOON}
    assert await ledger.list_submitting(["a:1", "b:1"]) == [("job_1", "p1")]
    assert await ledger.list_submitting(["b:1"]) == []


async def test_usual_durations_are_learned_by_account_and_capability(
    ledger: Ledger, reopen: Callable[[], Ledger]
) -> None:
    assert await ledger.get_typical_s("a:1", "upscale_image") is None
    await ledger.record_durations("a:1", "upscale_image", *[8.0] * 20, 900.0)
    assert await ledger.record_durations("a:1", "upscale_image", 7.0) == 8.0
    other = reopen()
    assert await other.get_typical_s("a:1", "upscale_image") == 8.0
    assert await other.get_typical_s("b:1", "upscale_image") is None
    await other.close()


async def test_what_is_usual_follows_a_service_that_became_slower(ledger: Ledger) -> None:
    await ledger.record_durations("a:1", "upscale_image", *[5.0] * 31)
    for _ in range(31):
        await ledger.record_durations("a:1", "upscale_image", 12.0)
    assert await ledger.get_typical_s("a:1", "upscale_image") == 12.0


async def test_each_change_is_told_once_it_is_written(ledger: Ledger) -> None:
    states: list[str] = []
    with ledger.events.listen(lambda changed: states.append(type(changed.state).__name__)):
        new = await open_job(ledger, build_job("1"))
        await ledger.move(new.id, Queued(TASK))
        await ledger.move(new.id, Succeeded(()))
        await ledger.move(new.id, Failed("too late"))
    assert states == ["Submitting", "Queued", "Succeeded"]


async def test_a_write_whose_caller_is_cancelled_is_written_and_told(ledger: Ledger) -> None:
    new = await open_job(ledger, build_job("1"))
    with ledger.events.subscribe([new.id]) as subscription:
        calling = asyncio.create_task(ledger.move(new.id, Queued(TASK)))
        await asyncio.sleep(0)
        calling.cancel()
        await subscription.wait()
    assert (await ledger.get([new.id]))[0].state == Queued(TASK)


async def test_one_operation_that_fails_leaves_its_neighbours_in_the_same_flush_alone(ledger: Ledger) -> None:
    await open_job(ledger, build_job("0"))
    outcomes = await asyncio.gather(
        open_job(ledger, build_job("1")),
        ledger.move(JobId("job_none"), Queued(TASK)),
        open_job(ledger, replace(build_job("0"), caller="you")),
        ledger.move(JobId("job_0"), Queued(TASK)),
        return_exceptions=True,
    )
    assert [isinstance(outcome, Job) for outcome in outcomes] == [True, False, False, True]
    assert isinstance(outcomes[1], JobNotFound)
    assert len(await ledger.list_unfinished("a:1")) == 2


async def test_a_ledger_of_a_newer_atelier_is_left_alone(ledger: Ledger, place: str) -> None:
    await ledger.list_unfinished("a:1")
    execute_behind(place, "UPDATE schema_version SET version = 99, oldest_reader = 99")
    other = Ledger(place, clock=ManualClock())
    with pytest.raises(ConfigurationError, match="written by a newer Atelier"):
        await other.list_unfinished("a:1")
    await other.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="what a process has open is read from /proc")
async def test_a_file_that_was_refused_is_not_kept_open(tmp_path: Path) -> None:
    """Its reader is told to move it away, which Windows allows of no file that is open."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER, oldest_reader INTEGER)")
        connection.execute("INSERT INTO schema_version VALUES (99, 99)")
        connection.commit()
    other = Ledger(path, clock=ManualClock())
    gc.disable()
    try:
        with pytest.raises(ConfigurationError, match="written by a newer Atelier"):
            await other.list_unfinished("a:1")
        open_files = {os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()}
    finally:
        gc.enable()
        await other.close()
    assert str(path.resolve()) not in open_files


@pytest.mark.parametrize("place", ["mysql://db.example/x", "sqlite://", "not a url ://"])
async def test_a_place_that_cannot_be_a_ledger_is_refused_in_words(place: str) -> None:
    other = Ledger(place, clock=ManualClock())
    with pytest.raises(ConfigurationError, match="ATELIER_DATABASE_URL"):
        await other.list_unfinished("a:1")
    await other.close()


async def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    other = Ledger(tmp_path / "file" / "ledger.db", clock=ManualClock())
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        await other.list_unfinished("a:1")
    await other.close()
