"""Giving up a job whose submit is still on its way, whatever its answer turns out to be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import AccountRefused, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.model import Cancelled, Failed, Job, JobImage, Queued, Saving, Succeeded, Unconfirmed
from atelier_mcp.server.jobs.service import CANCEL_WAIT_S
from atelier_mcp.server.providers.base import TaskSucceeded, UpstreamTask
from tests.jobs.doubles import (
    ManualJobsHarness,
    ScriptedProvider,
    build_request,
    count_spent_images,
    open_manual_harness,
)

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.jobs.submit_result import StartedJob
    from tests.support.clock import ManualClock

TASK = UpstreamTask("task-1", "pictures")
LATER_S = CANCEL_WAIT_S + 1


async def start_cancelling(
    harness: ManualJobsHarness, canceller: ManualJobsHarness | None = None
) -> tuple[asyncio.Task[StartedJob], asyncio.Task[Job]]:
    """A job of two pictures whose submit gets no answer yet, and a cancel of it, by another server if need be."""
    harness.provider.answer_gate.clear()
    starting = asyncio.create_task(harness.submitter.start(build_request("kite", samples=2), caller="me"))
    await harness.clock.settle()
    ((job,), _) = await harness.jobs.list_recent()
    cancelling = asyncio.create_task((canceller or harness).jobs.cancel(job.id))
    await harness.clock.settle()
    assert not cancelling.done()
    return starting, cancelling


async def load_only_job(harness: ManualJobsHarness) -> Job:
    ((job,), _) = await harness.jobs.list_recent()
    return job


async def answer(harness: ManualJobsHarness, outcome: Exception | TaskSucceeded | None = None) -> None:
    """Let the upstream answer the submit: with a task, unless something else is given."""
    if outcome is not None:
        harness.provider.submit_script.append(outcome)
    harness.provider.answer_gate.set()
    await harness.clock.settle()


@pytest.mark.parametrize("can_stop", [True, False])
async def test_a_quick_answer_lets_the_cancel_say_whether_the_service_stopped(
    harness: ManualJobsHarness, can_stop: bool
) -> None:
    harness.provider.can_stop = can_stop
    starting, cancelling = await start_cancelling(harness)
    await answer(harness)
    assert (await cancelling).state == Cancelled(upstream_stopped=can_stop)
    assert (await starting).job.state == Queued(TASK)
    assert harness.provider.cancels == ["task-1"]
    assert await count_spent_images(harness) == (0 if can_stop else 2)


async def test_a_slow_answer_cancels_the_job_at_once_and_the_service_when_it_comes(harness: ManualJobsHarness) -> None:
    harness.provider.can_stop = True
    starting, cancelling = await start_cancelling(harness)
    await harness.clock.advance(CANCEL_WAIT_S)
    assert (await cancelling).state == Cancelled(upstream_stopped=False)
    assert await count_spent_images(harness) == 2
    await answer(harness)
    assert (await starting).job.state == Cancelled(upstream_stopped=True)
    assert harness.provider.cancels == ["task-1"]
    assert await count_spent_images(harness) == 0
    await harness.clock.advance(60)
    assert harness.provider.polls == []


async def test_a_service_that_cannot_stop_after_a_slow_answer_stays_charged(harness: ManualJobsHarness) -> None:
    starting, cancelling = await start_cancelling(harness)
    await harness.clock.advance(LATER_S)
    await answer(harness)
    assert (await starting).job == await cancelling
    assert harness.provider.cancels == ["task-1"]
    assert await count_spent_images(harness) == 2


async def test_a_stop_that_fails_after_a_slow_answer_ends_nothing_else(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(task: UpstreamTask) -> bool:
        raise KeyError(task.id)

    monkeypatch.setattr(harness.provider, "cancel", fail)
    starting, _ = await start_cancelling(harness)
    await harness.clock.advance(LATER_S)
    await answer(harness)
    assert (await starting).job.state == Cancelled(upstream_stopped=False)
    assert isinstance((await harness.submitter.start(build_request("another"), caller="me")).job.state, Queued)


@pytest.mark.parametrize("later_s", [0.0, LATER_S])
async def test_a_refused_submit_costs_nothing_whenever_it_was_cancelled(
    harness: ManualJobsHarness, later_s: float
) -> None:
    starting, cancelling = await start_cancelling(harness)
    await harness.clock.advance(later_s)
    await answer(harness, AccountRefused("no balance"))
    with pytest.raises(AccountRefused):
        await starting
    job = await load_only_job(harness)
    if later_s:
        assert job.state == Cancelled(upstream_stopped=True)
    else:
        assert job == await cancelling
        assert isinstance(job.state, Failed)
    assert harness.provider.cancels == []
    assert await count_spent_images(harness) == 0


@pytest.mark.parametrize("later_s", [0.0, LATER_S])
async def test_a_lost_answer_stays_charged_and_nobody_claims_that_the_service_stopped(
    harness: ManualJobsHarness, later_s: float
) -> None:
    starting, cancelling = await start_cancelling(harness)
    await harness.clock.advance(later_s)
    await answer(harness, SubmitUnconfirmed("The connection broke."))
    with pytest.raises(SubmitUnconfirmed):
        await starting
    job = await load_only_job(harness)
    assert job == await cancelling
    assert job.state == (Cancelled(upstream_stopped=False) if later_s else Unconfirmed())
    assert harness.provider.cancels == []
    assert await count_spent_images(harness) == 2


@pytest.mark.parametrize("later_s", [0.0, LATER_S])
async def test_finished_work_that_comes_with_the_answer_is_paid_for_and_kept(
    harness: ManualJobsHarness, later_s: float
) -> None:
    starting, cancelling = await start_cancelling(harness)
    await harness.clock.advance(later_s)
    await answer(harness, TaskSucceeded((OutputImage(data=b"12345"),)))
    assert isinstance((await cancelling).state, Cancelled if later_s else Saving | Succeeded)
    assert isinstance((await starting).job.state, Saving)
    await harness.clock.advance(10)
    assert (await load_only_job(harness)).state == Succeeded((JobImage("img_5"),))
    assert await count_spent_images(harness) == 1


async def test_a_job_cancelled_while_queued_is_not_brought_back_by_a_poll(harness: ManualJobsHarness) -> None:
    """Only the answer to a submit may follow a cancel."""
    job = (await harness.submitter.start(build_request("kite"), caller="me")).job
    await harness.jobs.cancel(job.id)
    moved = await harness.ledger.move(job.id, Saving(TASK, (OutputImage(data=b"1"),)))
    assert isinstance(moved.state, Cancelled)


@pytest.mark.parametrize("later_s", [0.0, LATER_S])
async def test_a_job_that_another_server_cancels_is_stopped_as_well(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, later_s: float
) -> None:
    provider.can_stop = True
    async with (
        open_manual_harness(tmp_path, provider, clock, seed=1) as sender,
        open_manual_harness(tmp_path, provider, clock, seed=2) as other,
    ):
        starting, cancelling = await start_cancelling(sender, other)
        await clock.advance(later_s)
        await answer(sender)
        await clock.advance(1)
        assert (await cancelling).state == Cancelled(upstream_stopped=not later_s)
        await starting
        assert (await load_only_job(sender)).state == Cancelled(upstream_stopped=True)
        assert provider.cancels == ["task-1"]
        assert await count_spent_images(sender) == 0


async def test_a_cancel_and_an_answer_in_the_same_moment_tell_the_service(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look of the cancel and its write, the answer is written down."""
    harness.provider.can_stop = True
    starting, cancelling = await start_cancelling(harness)
    move = harness.ledger.move

    async def let_the_answer_go_first(*arguments: object, **options: object) -> Job:
        monkeypatch.undo()
        await answer(harness)
        return await move(*arguments, **options)  # pyright: ignore[reportArgumentType]  # handed on as it came

    monkeypatch.setattr(harness.ledger, "move", let_the_answer_go_first)
    await harness.clock.advance(CANCEL_WAIT_S)
    assert (await cancelling).state == Cancelled(upstream_stopped=True)
    assert (await starting).job.state == Queued(TASK)
    assert harness.provider.cancels == ["task-1"]


async def test_an_upstream_that_refuses_to_stop_leaves_the_job_cancelled(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: UpstreamTask) -> bool:
        raise ProviderUnavailable("down")

    monkeypatch.setattr(harness.provider, "cancel", refuse)
    _, cancelling = await start_cancelling(harness)
    await answer(harness)
    assert (await cancelling).state == Cancelled(upstream_stopped=False)
