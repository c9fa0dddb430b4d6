"""What the tools ask of jobs: start, wait, look up, give up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import (
    AccountRefused,
    BudgetExceeded,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    JobNotFound,
    ProviderUnavailable,
    StorageUnavailable,
    SubmitUnconfirmed,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import (
    Cancelled,
    Failed,
    Job,
    JobFilter,
    JobId,
    JobImage,
    Queued,
    Saving,
    Submitting,
    Succeeded,
    Unconfirmed,
)
from atelier_mcp.server.providers.base import Plan, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.create import ControlNetUnit
from tests.jobs.doubles import (
    ManualJobsHarness,
    ScriptedProvider,
    build_done,
    build_request,
    count_spent_images,
    open_manual_harness,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import ManualClock


async def start_job(harness: ManualJobsHarness, prompt: str = "a red kite", **arguments: object) -> Job:
    return (await harness.submitter.start(build_request(prompt, **arguments), caller="me")).job


async def get_only_job(harness: ManualJobsHarness) -> Job:
    (job,), more = await harness.jobs.list_recent()
    assert not more
    return job


# Starting


async def test_a_job_is_in_the_ledger_with_its_budget_before_it_is_sent(harness: ManualJobsHarness) -> None:
    harness.provider.answer_gate.clear()
    starting = asyncio.create_task(start_job(harness, samples=3))
    await harness.clock.settle()
    job = await get_only_job(harness)
    assert job.state == Submitting()
    assert await count_spent_images(harness) == 3
    harness.provider.answer_gate.set()
    assert (await starting).state == Queued(UpstreamTask("task-1", "pictures"))


async def test_a_job_says_what_was_asked_and_what_was_chosen(harness: ManualJobsHarness) -> None:
    control = ControlNetUnit.model_validate({"type": "canny", "image": "edges.png"})
    job = await start_job(harness, image="cat.png", controls=(control,))
    assert job.request["image"] == "img_cat.png"
    assert job.request["controls"][0]["image"] == "img_edges.png"
    assert job.notes == ("scripted",)
    assert (job.capability, job.provider, job.caller) == ("generate_image", "scripted", "me")
    assert (job.deadline - job.created_at).total_seconds() == 1800


async def test_what_is_refused_before_the_write_ahead_leaves_nothing(harness: ManualJobsHarness) -> None:
    async def refuse(request: Request, images: Mapping[str, ImageHeader]) -> Plan:
        raise InvalidRequest("too wide")

    operation = harness.provider.operations["generate_image"]
    operation.plan = refuse  # pyright: ignore[reportAttributeAccessIssue]  # an upstream that cannot do this
    with pytest.raises(InvalidRequest):
        await start_job(harness)
    assert await harness.jobs.list_recent() == ([], False)
    assert harness.provider.submits == []


@pytest.mark.parametrize("error", [AccountRefused("no balance"), ContentRefused("no"), ProviderUnavailable("down")])
async def test_a_refused_submit_fails_the_job_and_gives_the_budget_back(
    harness: ManualJobsHarness, error: Exception
) -> None:
    harness.provider.submit_script.append(error)
    with pytest.raises(type(error), match=r"Nothing was spent\."):
        await start_job(harness, samples=4)
    job = await get_only_job(harness)
    assert isinstance(job.state, Failed)
    assert job.state.spent == "Nothing was spent."
    assert await count_spent_images(harness) == 0


@pytest.mark.parametrize("error", [SubmitUnconfirmed("The connection broke."), KeyError("task_id")])
async def test_a_lost_answer_leaves_the_job_unconfirmed_charged_and_unsent(
    harness: ManualJobsHarness, error: Exception
) -> None:
    harness.provider.submit_script.append(error)
    with pytest.raises(SubmitUnconfirmed) as raised:
        await start_job(harness, samples=4)
    job = await get_only_job(harness)
    assert job.state == Unconfirmed()
    assert job.id in str(raised.value)
    assert "not sent again" in str(raised.value)
    assert await count_spent_images(harness) == 4
    await harness.clock.advance(900)
    assert len(harness.provider.submits) == 1


async def test_an_upstream_that_answers_with_pictures_at_once_needs_no_look(harness: ManualJobsHarness) -> None:
    harness.provider.submit_script.append(TaskSucceeded((OutputImage(data=b"12345"),), {"text": "a kite"}))
    job = await start_job(harness)
    assert isinstance(job.state, Saving)
    await harness.clock.settle()
    (job,) = await harness.jobs.get([job.id])
    assert job.state == Succeeded((JobImage("img_5"),), {"text": "a kite"})
    assert harness.provider.polls == []


async def test_a_submit_can_be_awaited_for_a_while_only_and_goes_on(harness: ManualJobsHarness) -> None:
    harness.provider.answer_gate.clear()
    starting = asyncio.create_task(harness.submitter.start(build_request("kite"), caller="me", wait_s=2.0))
    await harness.clock.advance(2.0)
    begun = (await starting).job
    assert begun.state == Submitting()
    harness.provider.answer_gate.set()
    await harness.clock.settle()
    assert isinstance((await harness.jobs.get([begun.id]))[0].state, Queued)


async def test_the_answer_to_a_submit_can_be_awaited_for_a_shorter_while_than_the_call_has(
    harness: ManualJobsHarness,
) -> None:
    """From when the job is written down: before that there is nothing to come back to."""
    harness.provider.answer_gate.clear()
    starting = asyncio.create_task(
        harness.submitter.start(build_request("kite"), caller="me", wait_s=45.0, answer_wait_s=2.0)
    )
    await harness.clock.advance(1.0)
    assert not starting.done()
    await harness.clock.advance(1.0)
    assert (await starting).job.state == Submitting()
    harness.provider.answer_gate.set()
    await harness.clock.settle()


async def test_progress_of_a_submit_is_reported_and_a_broken_reader_breaks_nothing(harness: ManualJobsHarness) -> None:
    reports: list[object] = []

    def raise_broken_pipe(share: float | None, word: str) -> None:
        reports.append((share, word))
        raise BrokenPipeError

    begun = await harness.submitter.start(build_request("kite"), caller="me", report=raise_broken_pipe)
    assert reports == [(0.5, "sending")]
    assert isinstance(begun.job.state, Queued)


async def test_a_cancelled_call_does_not_cancel_the_job(harness: ManualJobsHarness) -> None:
    """The client may go at any moment between the write-ahead and the answer."""
    harness.provider.answer_gate.clear()
    calling = asyncio.create_task(start_job(harness))
    await harness.clock.settle()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    harness.provider.answer_gate.set()
    await harness.clock.settle()
    assert (await get_only_job(harness)).state == Queued(UpstreamTask("task-1", "pictures"))


async def test_an_accepted_job_is_recorded_although_the_ledger_is_full_for_a_while(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raise_disk_full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(harness.ledger, "move", raise_disk_full)
        starting = asyncio.create_task(start_job(harness))
        await harness.clock.advance(10.0)
        assert not starting.done()
    await harness.clock.advance(60.0)
    assert (await starting).state == Queued(UpstreamTask("task-1", "pictures"))
    assert len(harness.provider.submits) == 1


# The same request twice


async def test_an_identical_request_joins_the_job_that_is_under_way(harness: ManualJobsHarness) -> None:
    first = await harness.submitter.start(build_request("kite"), caller="me")
    again = await harness.submitter.start(build_request("kite"), caller="me")
    assert (first.joined, again.joined) == (False, True)
    assert again.job.id == first.job.id
    assert len(harness.provider.submits) == 1
    assert await count_spent_images(harness) == 1


async def test_with_a_full_disk_a_running_job_is_joined_and_no_other_begun(harness: ManualJobsHarness) -> None:
    """Whoever asks again has lost the answer, and its job goes on."""
    first = await harness.submitter.start(build_request("kite"), caller="me")
    harness.pipeline.disk_trouble = "the disk is full"
    again = await harness.submitter.start(build_request("kite"), caller="me")
    assert (again.job.id, again.joined) == (first.job.id, True)
    with pytest.raises(StorageUnavailable, match="the disk is full"):
        await harness.submitter.start(build_request("boat"), caller="me")


async def test_identical_requests_at_the_same_moment_are_sent_once(harness: ManualJobsHarness) -> None:
    harness.provider.answer_gate.clear()
    starting = [asyncio.create_task(harness.submitter.start(build_request("kite"), caller="me")) for _ in range(5)]
    await harness.clock.settle()
    harness.provider.answer_gate.set()
    begun = await asyncio.gather(*starting)
    assert len({one.job.id for one in begun}) == 1
    assert sorted(one.joined for one in begun) == [False, True, True, True, True]
    assert len(harness.provider.submits) == 1


async def test_another_caller_another_request_or_a_finished_job_is_a_new_job(harness: ManualJobsHarness) -> None:
    first = await harness.submitter.start(build_request("kite"), caller="me")
    others = [
        await harness.submitter.start(build_request("kite"), caller="you"),
        await harness.submitter.start(build_request("kite", seed=1), caller="me"),
    ]
    await harness.ledger.move(first.job.id, Failed("x"))
    others.append(await harness.submitter.start(build_request("kite"), caller="me"))
    assert not any(one.joined for one in others)
    assert len(harness.provider.submits) == 4


# Budgets


async def test_a_budget_refusal_sends_nothing_and_leaves_nothing(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    async with open_manual_harness(tmp_path, provider, clock, budget=Budget(per_day=5)) as harness:
        await start_job(harness, "one", samples=4)
        with pytest.raises(BudgetExceeded, match="1 left"):
            await start_job(harness, "two", samples=2)
        assert len(provider.submits) == 1
        assert len((await harness.jobs.list_recent())[0]) == 1


async def test_a_free_service_counts_against_no_budget(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    provider.is_free = True
    provider.submit_script.append(TaskSucceeded((OutputImage(data=b"1"), OutputImage(data=b"22"))))
    async with open_manual_harness(tmp_path, provider, clock, budget=Budget(per_job=1, per_day=1)) as harness:
        started = await harness.submitter.start(build_request("kite", samples=2), caller="me")
        await clock.advance(1)
        (job,) = await harness.jobs.get([started.job.id])
        assert isinstance(job.state, Succeeded)
        assert await count_spent_images(harness) == 0


async def test_the_budget_holds_for_many_calls_at_once_and_refunds_are_usable(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    async with open_manual_harness(tmp_path, provider, clock, budget=Budget(per_day=6)) as harness:
        calls = (harness.submitter.start(build_request(f"kite {n}", samples=2), caller="me") for n in range(9))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 6
        assert len(provider.submits) == 3
        (job, *_), _ = await harness.jobs.list_recent()
        provider.can_stop = True
        await harness.jobs.cancel(job.id)
        provider.submit_script.append(AccountRefused("no balance"))
        with pytest.raises(AccountRefused):
            await start_job(harness, "refused", samples=2)
        await start_job(harness, "last", samples=2)
        assert await count_spent_images(harness) == 6


# Waiting


async def test_waiting_for_all_ends_with_the_last_and_for_any_with_the_first(harness: ManualJobsHarness) -> None:
    jobs = [await start_job(harness, f"kite {n}") for n in range(2)]
    ids = [job.id for job in jobs]
    for_all = asyncio.create_task(harness.jobs.wait(ids, wait_s=100))
    for_any = asyncio.create_task(harness.jobs.wait(ids, wait_s=100, until="any"))
    harness.provider.snapshots["task-2"] = build_done("b.png")
    await harness.clock.advance_until(for_any.done)
    assert [job.is_finished for job in await for_any] == [False, True]
    assert not for_all.done()
    harness.provider.snapshots["task-1"] = build_done("a.png")
    await harness.clock.advance_until(for_all.done)
    assert [job.id for job in await for_all] == ids
    assert all(job.is_finished for job in await for_all)


async def test_waiting_ends_after_its_time_with_the_jobs_as_they_stand(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=45))
    await harness.clock.advance(44.9)
    assert not waiting.done()
    await harness.clock.advance(0.2)
    assert [type(one.state) for one in await waiting] == [Queued]


async def test_waiting_for_no_time_and_for_nothing_returns_at_once(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    assert await harness.jobs.wait([job.id, job.id], wait_s=0) == [job, job]
    assert await harness.jobs.wait([], wait_s=100) == []


async def test_waiting_for_an_unknown_job_is_refused_before_waiting(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    with pytest.raises(JobNotFound, match="job_nobody"):
        await harness.jobs.wait([job.id, JobId("job_nobody")], wait_s=100)


async def test_who_waits_hears_of_every_change_once(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    updates: list[Job] = []
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=100, on_change=updates.append))
    harness.provider.snapshots["task-1"] = build_done("a.png")
    await harness.clock.advance_until(waiting.done)
    assert [type(one.state) for one in updates] == [Saving, Succeeded]


# Looking up


async def test_recent_jobs_come_in_pages_and_by_state(harness: ManualJobsHarness) -> None:
    for n in range(3):
        await start_job(harness, f"kite {n}")
        await harness.clock.advance(0.1)
    jobs, more = await harness.jobs.list_recent(limit=2)
    assert [job.request["prompt"] for job in jobs] == ["kite 2", "kite 1"]
    assert more
    assert [len((await harness.jobs.list_recent(JobFilter(states={state})))[0]) for state in ("queued", "failed")] == [
        3,
        0,
    ]


# Giving up


async def test_cancelling_stops_the_upstream_where_it_can_and_gives_the_budget_back(harness: ManualJobsHarness) -> None:
    harness.provider.can_stop = True
    job = await start_job(harness, samples=2)
    assert (await harness.jobs.cancel(job.id)).state == Cancelled(upstream_stopped=True)
    assert harness.provider.cancels == ["task-1"]
    assert await count_spent_images(harness) == 0


async def test_cancelling_where_the_upstream_goes_on_stays_charged_and_is_not_looked_at(
    harness: ManualJobsHarness,
) -> None:
    job = await start_job(harness, samples=2)
    assert (await harness.jobs.cancel(job.id)).state == Cancelled(upstream_stopped=False)
    await harness.clock.advance(60)
    assert harness.provider.polls == []
    assert await count_spent_images(harness) == 2


async def test_cancelling_twice_or_too_late_changes_nothing(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    first = await harness.jobs.cancel(job.id)
    assert await harness.jobs.cancel(job.id) == first
    other = await start_job(harness, "done")
    harness.provider.snapshots["task-2"] = build_done("a.png")
    await harness.clock.advance(20)
    (finished,) = await harness.jobs.get([other.id])
    assert await harness.jobs.cancel(other.id) == finished
    assert harness.provider.cancels == ["task-1"]


async def test_cancelling_wakes_who_waits(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=100))
    await harness.clock.settle()
    await harness.jobs.cancel(job.id)
    await harness.clock.settle()
    assert waiting.done()
    assert isinstance((await waiting)[0].state, Cancelled)


async def test_cancelling_in_the_middle_of_saving_ends_the_downloads(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    harness.pipeline.store_script.extend([ProviderUnavailable("404")] * 1000)
    await harness.clock.advance(30)
    await harness.jobs.cancel(job.id)
    left = len(harness.pipeline.store_script)
    await harness.clock.advance(300)
    assert len(harness.pipeline.store_script) >= left - 1


# Routing


def test_the_preferred_provider_that_can_is_chosen_and_another_can_be_asked_for(clock: ManualClock) -> None:
    first, second = ScriptedProvider(clock, name="first"), ScriptedProvider(clock, name="second")
    router = Router([first, second])
    assert router.find_candidates(build_request("kite"))[0] is first
    assert router.find_candidates(build_request("kite"), "second") == (second,)
    assert router.find_by_account("second:0001") is second
    assert router.find_by_account("nobody:1") is None
    with pytest.raises(InvalidRequest, match=r"No service third is configured\.\n.*\nThese can: first, second\."):
        router.find_candidates(build_request("kite"), "third")
    second.operations = {}
    with pytest.raises(InvalidRequest, match="second cannot generate image"):
        router.find_candidates(build_request("kite"), "second")


def test_a_request_nobody_can_do_names_the_setting_to_add() -> None:
    router = Router([], describe_settings=lambda capability: f"KEY_FOR_{capability.upper()}")
    with pytest.raises(ConfigurationError, match="Set KEY_FOR_GENERATE_IMAGE"):
        router.find_candidates(build_request("kite"))
