"""What the tools ask of jobs: start, wait, look up, give up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from jobs.doubles import HandRoom, ScriptedProvider, done, open_hand_room, words

from atelier_mcp.server.errors import (
    AccountRefused,
    BudgetExceeded,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    JobNotFound,
    ProviderUnavailable,
    SubmitUnconfirmed,
)
from atelier_mcp.server.jobs.budget import Budget, Spending
from atelier_mcp.server.jobs.model import (
    Cancelled,
    Failed,
    Job,
    JobId,
    JobImage,
    Queued,
    Saving,
    Submitting,
    Succeeded,
    Unconfirmed,
)
from atelier_mcp.server.providers.base import Done, Output, Plan, UpstreamTask
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.create import Control

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jobs.hand_clock import HandClock

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.requests.base import Request

TODAY = "2026-11-20"


async def started(room: HandRoom, prompt: str = "a red kite", **arguments: object) -> Job:
    return (await room.jobs.start(words(prompt, **arguments), caller="me")).job


async def only_job(room: HandRoom) -> Job:
    (job,), more = await room.jobs.recent()
    assert not more
    return job


async def spent(room: HandRoom) -> int:
    return (await room.ledger.spent(TODAY, room.provider.account)).everywhere


# Starting


async def test_a_job_is_in_the_ledger_with_its_budget_before_it_is_sent(room: HandRoom) -> None:
    room.provider.answers.clear()
    starting = asyncio.create_task(started(room, samples=3))
    await room.clock.settle()
    job = await only_job(room)
    assert job.state == Submitting()
    assert await room.ledger.spent(TODAY, job.account) == Spending(3, 3)
    room.provider.answers.set()
    assert (await starting).state == Queued(UpstreamTask("task-1", "pictures"))


async def test_a_job_says_what_was_asked_and_what_was_chosen(room: HandRoom) -> None:
    control = Control.model_validate({"type": "canny", "image": "edges.png"})
    job = await started(room, image="cat.png", controls=(control,))
    assert job.request["image"] == "img_cat.png"
    assert job.request["controls"][0]["image"] == "img_edges.png"
    assert job.notes == ("scripted",)
    assert (job.capability, job.provider, job.caller) == ("generate_image", "scripted", "me")
    assert (job.deadline - job.created_at).total_seconds() == 1800


async def test_what_is_refused_before_the_write_ahead_leaves_nothing(room: HandRoom) -> None:
    async def refuses(request: Request, pictures: Mapping[str, Header]) -> Plan:
        raise InvalidRequest("too wide")

    room.provider.plan = refuses  # pyright: ignore[reportAttributeAccessIssue]  # an upstream that cannot do this
    with pytest.raises(InvalidRequest):
        await started(room)
    assert await room.jobs.recent() == ([], False)
    assert room.provider.submits == []


@pytest.mark.parametrize("error", [AccountRefused("no balance"), ContentRefused("no"), ProviderUnavailable("down")])
async def test_a_refused_submit_fails_the_job_and_gives_the_budget_back(room: HandRoom, error: Exception) -> None:
    room.provider.submit_script.append(error)
    with pytest.raises(type(error), match=r"Nothing was spent\."):
        await started(room, samples=4)
    job = await only_job(room)
    assert isinstance(job.state, Failed)
    assert job.state.spent == "Nothing was spent."
    assert await spent(room) == 0


@pytest.mark.parametrize("error", [SubmitUnconfirmed("The connection broke."), KeyError("task_id")])
async def test_a_lost_answer_leaves_the_job_unconfirmed_charged_and_unsent(room: HandRoom, error: Exception) -> None:
    room.provider.submit_script.append(error)
    with pytest.raises(SubmitUnconfirmed) as raised:
        await started(room, samples=4)
    job = await only_job(room)
    assert job.state == Unconfirmed()
    assert job.id in str(raised.value)
    assert "not sent again" in str(raised.value)
    assert await spent(room) == 4
    await room.clock.advance(900)
    assert len(room.provider.submits) == 1


async def test_an_upstream_that_answers_with_pictures_at_once_needs_no_look(room: HandRoom) -> None:
    room.provider.submit_script.append(Done((Output(data=b"12345"),), {"text": "a kite"}))
    job = await started(room)
    assert isinstance(job.state, Saving)
    await room.clock.settle()
    (job,) = await room.jobs.get([job.id])
    assert job.state == Succeeded((JobImage("img_5"),), {"text": "a kite"})
    assert room.provider.looks == []


async def test_a_submit_can_be_awaited_for_a_while_only_and_goes_on(room: HandRoom) -> None:
    room.provider.answers.clear()
    starting = asyncio.create_task(room.jobs.start(words("kite"), caller="me", wait_s=2.0))
    await room.clock.advance(2.0)
    begun = (await starting).job
    assert begun.state == Submitting()
    room.provider.answers.set()
    await room.clock.settle()
    assert isinstance((await room.jobs.get([begun.id]))[0].state, Queued)


async def test_progress_of_a_submit_is_reported_and_a_broken_reader_breaks_nothing(room: HandRoom) -> None:
    heard: list[object] = []

    def reader(share: float | None, word: str) -> None:
        heard.append((share, word))
        raise BrokenPipeError

    begun = await room.jobs.start(words("kite"), caller="me", report=reader)
    assert heard == [(0.5, "sending")]
    assert isinstance(begun.job.state, Queued)


async def test_a_cancelled_call_does_not_cancel_the_job(room: HandRoom) -> None:
    """The client may go at any moment between the write-ahead and the answer."""
    room.provider.answers.clear()
    calling = asyncio.create_task(started(room))
    await room.clock.settle()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    room.provider.answers.set()
    await room.clock.settle()
    assert (await only_job(room)).state == Queued(UpstreamTask("task-1", "pictures"))


async def test_an_accepted_job_is_recorded_although_the_ledger_is_full_for_a_while(
    room: HandRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full_disk(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(room.ledger, "move", full_disk)
        starting = asyncio.create_task(started(room))
        await room.clock.advance(10.0)
        assert not starting.done()
    await room.clock.advance(60.0)
    assert (await starting).state == Queued(UpstreamTask("task-1", "pictures"))
    assert len(room.provider.submits) == 1


# The same request twice


async def test_an_identical_request_joins_the_job_that_is_under_way(room: HandRoom) -> None:
    first = await room.jobs.start(words("kite"), caller="me")
    again = await room.jobs.start(words("kite"), caller="me")
    assert (first.joined, again.joined) == (False, True)
    assert again.job.id == first.job.id
    assert len(room.provider.submits) == 1
    assert await spent(room) == 1


async def test_identical_requests_at_the_same_moment_are_sent_once(room: HandRoom) -> None:
    room.provider.answers.clear()
    starting = [asyncio.create_task(room.jobs.start(words("kite"), caller="me")) for _ in range(5)]
    await room.clock.settle()
    room.provider.answers.set()
    begun = await asyncio.gather(*starting)
    assert len({one.job.id for one in begun}) == 1
    assert sorted(one.joined for one in begun) == [False, True, True, True, True]
    assert len(room.provider.submits) == 1


async def test_another_caller_another_request_or_a_finished_job_is_a_new_job(room: HandRoom) -> None:
    first = await room.jobs.start(words("kite"), caller="me")
    others = [
        await room.jobs.start(words("kite"), caller="you"),
        await room.jobs.start(words("kite", seed=1), caller="me"),
    ]
    await room.ledger.move(first.job.id, Failed("x"))
    others.append(await room.jobs.start(words("kite"), caller="me"))
    assert not any(one.joined for one in others)
    assert len(room.provider.submits) == 4


# Budgets


async def test_a_budget_refusal_sends_nothing_and_leaves_nothing(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> None:
    async with open_hand_room(tmp_path, provider, clock, budget=Budget(per_day=5)) as room:
        await started(room, "one", samples=4)
        with pytest.raises(BudgetExceeded, match="1 left"):
            await started(room, "two", samples=2)
        assert len(provider.submits) == 1
        assert len((await room.jobs.recent())[0]) == 1


async def test_the_budget_holds_for_many_calls_at_once_and_refunds_are_usable(
    tmp_path: Path, provider: ScriptedProvider, clock: HandClock
) -> None:
    async with open_hand_room(tmp_path, provider, clock, budget=Budget(per_day=6)) as room:
        calls = (room.jobs.start(words(f"kite {n}", samples=2), caller="me") for n in range(9))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 6
        assert len(provider.submits) == 3
        (job, *_), _ = await room.jobs.recent()
        provider.stops = True
        await room.jobs.cancel(job.id)
        provider.submit_script.append(AccountRefused("no balance"))
        with pytest.raises(AccountRefused):
            await started(room, "refused", samples=2)
        await started(room, "last", samples=2)
        assert await spent(room) == 6


# Waiting


async def test_waiting_for_all_ends_with_the_last_and_for_any_with_the_first(room: HandRoom) -> None:
    jobs = [await started(room, f"kite {n}") for n in range(2)]
    ids = [job.id for job in jobs]
    for_all = asyncio.create_task(room.jobs.wait(ids, wait_s=100))
    for_any = asyncio.create_task(room.jobs.wait(ids, wait_s=100, until="any"))
    room.provider.stands["task-2"] = done("b.png")
    await room.clock.until(for_any.done)
    assert [job.finished for job in await for_any] == [False, True]
    assert not for_all.done()
    room.provider.stands["task-1"] = done("a.png")
    await room.clock.until(for_all.done)
    assert [job.id for job in await for_all] == ids
    assert all(job.finished for job in await for_all)


async def test_waiting_ends_after_its_time_with_the_jobs_as_they_stand(room: HandRoom) -> None:
    job = await started(room)
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=45))
    await room.clock.advance(44.9)
    assert not waiting.done()
    await room.clock.advance(0.2)
    assert [type(one.state) for one in await waiting] == [Queued]


async def test_waiting_for_no_time_and_for_nothing_returns_at_once(room: HandRoom) -> None:
    job = await started(room)
    assert await room.jobs.wait([job.id, job.id], wait_s=0) == [job, job]
    assert await room.jobs.wait([], wait_s=100) == []


async def test_waiting_for_an_unknown_job_is_refused_before_waiting(room: HandRoom) -> None:
    job = await started(room)
    with pytest.raises(JobNotFound, match="job_nobody"):
        await room.jobs.wait([job.id, JobId("job_nobody")], wait_s=100)


async def test_who_waits_hears_of_every_change_once(room: HandRoom) -> None:
    job = await started(room)
    heard: list[Job] = []
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=100, on_change=heard.append))
    room.provider.stands["task-1"] = done("a.png")
    await room.clock.until(waiting.done)
    assert [type(one.state) for one in heard] == [Saving, Succeeded]


# Looking up


async def test_recent_jobs_come_in_pages_and_by_state(room: HandRoom) -> None:
    for n in range(3):
        await started(room, f"kite {n}")
        await room.clock.advance(0.1)
    jobs, more = await room.jobs.recent(limit=2)
    assert [job.request["prompt"] for job in jobs] == ["kite 2", "kite 1"]
    assert more
    assert [len((await room.jobs.recent(states={state}))[0]) for state in ("queued", "failed")] == [3, 0]


# Giving up


async def test_cancelling_stops_the_upstream_where_it_can_and_gives_the_budget_back(room: HandRoom) -> None:
    room.provider.stops = True
    job = await started(room, samples=2)
    assert (await room.jobs.cancel(job.id)).state == Cancelled(upstream_stopped=True)
    assert room.provider.cancels == ["task-1"]
    assert await spent(room) == 0


async def test_cancelling_where_the_upstream_goes_on_stays_charged_and_is_not_looked_at(room: HandRoom) -> None:
    job = await started(room, samples=2)
    assert (await room.jobs.cancel(job.id)).state == Cancelled(upstream_stopped=False)
    await room.clock.advance(60)
    assert room.provider.looks == []
    assert await spent(room) == 2


async def test_cancelling_twice_or_too_late_changes_nothing(room: HandRoom) -> None:
    job = await started(room)
    first = await room.jobs.cancel(job.id)
    assert await room.jobs.cancel(job.id) == first
    other = await started(room, "done")
    room.provider.stands["task-2"] = done("a.png")
    await room.clock.advance(20)
    (finished,) = await room.jobs.get([other.id])
    assert await room.jobs.cancel(other.id) == finished
    assert room.provider.cancels == ["task-1"]


async def test_cancelling_wakes_who_waits(room: HandRoom) -> None:
    job = await started(room)
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=100))
    await room.clock.settle()
    await room.jobs.cancel(job.id)
    await room.clock.settle()
    assert waiting.done()
    assert isinstance((await waiting)[0].state, Cancelled)


async def test_a_job_cancelled_while_it_is_sent_stays_cancelled(room: HandRoom) -> None:
    room.provider.answers.clear()
    starting = asyncio.create_task(started(room))
    await room.clock.settle()
    cancelled = await room.jobs.cancel((await only_job(room)).id)
    room.provider.answers.set()
    assert (await starting) == cancelled
    await room.clock.advance(60)
    assert room.provider.looks == []


async def test_cancelling_in_the_middle_of_saving_ends_the_downloads(room: HandRoom) -> None:
    job = await started(room)
    room.provider.stands["task-1"] = done("a.png")
    room.gallery.keep_script.extend([ProviderUnavailable("404")] * 1000)
    await room.clock.advance(30)
    await room.jobs.cancel(job.id)
    left = len(room.gallery.keep_script)
    await room.clock.advance(300)
    assert len(room.gallery.keep_script) >= left - 1


# Routing


def test_the_preferred_provider_that_can_is_chosen_and_another_can_be_asked_for(clock: HandClock) -> None:
    first, second = ScriptedProvider(clock, name="first"), ScriptedProvider(clock, name="second")
    router = Router([first, second])
    assert router.for_request(words("kite")) is first
    assert router.for_request(words("kite"), "second") is second
    assert router.by_account("second:0001") is second
    assert router.by_account("nobody:1") is None
    with pytest.raises(InvalidRequest, match=r"No service third is configured\.\n.*\nThese can: first, second\."):
        router.for_request(words("kite"), "third")
    second.capabilities = frozenset()
    with pytest.raises(InvalidRequest, match="second cannot generate image"):
        router.for_request(words("kite"), "second")


def test_a_request_nobody_can_do_names_the_setting_to_add() -> None:
    router = Router([], settings_for=lambda capability: f"KEY_FOR_{capability.upper()}")
    with pytest.raises(ConfigurationError, match="Set KEY_FOR_GENERATE_IMAGE"):
        router.for_request(words("kite"))
