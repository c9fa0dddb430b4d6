"""An upstream that takes an id of ours is asked what became of a submit before anything is said of it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ProviderUnavailable, Spent, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import Failed, Job, JobImage, Queued, Submitting, Succeeded, Unconfirmed
from atelier_mcp.server.providers.base import Plan, TaskFailed, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.operation import NamedJobOperation
from atelier_mcp.server.requests.create import GenerateImage
from tests.jobs.doubles import ManualJobsHarness, ScriptedProvider, build_done, build_request, open_manual_harness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback
    from tests.support.clock import ManualClock


class NamedScriptedOperation(NamedJobOperation[GenerateImage]):
    """The scripted capability at an upstream that takes our ids."""

    request_type = GenerateImage

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        return Plan(request)

    async def name_task(self, request: GenerateImage, job_id: str) -> UpstreamTask:
        return UpstreamTask(f"ours-{job_id}", "pictures")

    async def submit_as(
        self, task: UpstreamTask, request: GenerateImage, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask | TaskSucceeded:
        answer = await self._provider.answer_submit(request, report)
        return answer if isinstance(answer, TaskSucceeded) else task


@pytest.fixture
def provider(provider: ScriptedProvider) -> ScriptedProvider:
    operations: dict[str, Any] = {"generate_image": NamedScriptedOperation(provider)}
    provider.operations = operations
    return provider


async def start_job(harness: ManualJobsHarness) -> Job:
    return (await harness.submitter.start(build_request("a red kite"), caller="me")).job


async def get_only_job(harness: ManualJobsHarness) -> Job:
    ((job,), _) = await harness.jobs.list_recent()
    return job


async def test_the_id_is_written_down_before_the_request_leaves(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    provider.answer_gate.clear()
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        starting = asyncio.create_task(start_job(harness))
        await clock.settle()
        job = await get_only_job(harness)
        assert job.state == Submitting(task=UpstreamTask(f"ours-{job.id}", "pictures"))
        provider.answer_gate.set()
        assert (await starting).state == Queued(UpstreamTask(f"ours-{job.id}", "pictures"))


@pytest.mark.parametrize("error", [SubmitUnconfirmed("The connection broke."), KeyError("task_id")], ids=repr)
async def test_a_job_whose_answer_was_lost_is_asked_about_and_finished(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, error: Exception
) -> None:
    provider.submit_script.append(error)
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        if isinstance(error, SubmitUnconfirmed):
            await start_job(harness)
        else:
            with pytest.raises(SubmitUnconfirmed, match="looked for by its id"):
                await start_job(harness)
        job = await get_only_job(harness)
        provider.snapshots[f"ours-{job.id}"] = build_done("a.png")
        await clock.advance(30)
        assert (await get_only_job(harness)).state == Succeeded((JobImage("img_a.png", 0),))
    assert len(provider.submits) == 1


async def test_only_the_upstreams_word_makes_such_a_job_unconfirmed(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    """While it cannot be asked, the job waits."""
    provider.submit_script.append(SubmitUnconfirmed("The connection broke."))
    provider.poll_script.extend([ProviderUnavailable("down")] * 3)
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        job = await start_job(harness)
        provider.snapshots[f"ours-{job.id}"] = TaskFailed(SubmitUnconfirmed("It knows no such job."))
        assert isinstance(job.state, Queued)
        await clock.advance(300)
        assert (await get_only_job(harness)).state == Unconfirmed()
        assert len(provider.polls) == 4
    assert len(provider.submits) == 1


async def test_a_job_that_never_arrived_fails_without_a_charge(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    provider.submit_script.append(SubmitUnconfirmed("The connection broke."))
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        job = await start_job(harness)
        failure = UpstreamFailed("It knows no such job.", spent=Spent.NOTHING)
        provider.snapshots[f"ours-{job.id}"] = TaskFailed(failure)
        await clock.advance(30)
        assert (await get_only_job(harness)).state == Failed("It knows no such job.", "Nothing was spent.")


async def test_the_next_server_asks_about_a_submit_that_a_stopped_one_left(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.jobs.submitter.GRACE_S", 0.0)
    provider.answer_gate.clear()
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        starting = asyncio.create_task(start_job(harness))
        await clock.settle()
        job = await get_only_job(harness)
    with pytest.raises(SubmitUnconfirmed):
        await starting
    provider.snapshots[f"ours-{job.id}"] = build_done("a.png")
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        await clock.advance(30)
        assert isinstance((await get_only_job(harness)).state, Succeeded)
    assert len(provider.submits) == 1


async def test_a_submit_of_a_process_that_died_is_asked_about(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    """The row of a dead process is what its kill leaves: written before the request left, never after."""
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        done = await start_job(harness)
        provider.snapshots[f"ours-{done.id}"] = build_done("a.png")
        await clock.advance(10)
        task = UpstreamTask("ours-left", "pictures")
        orphan = dataclasses.replace(done, id=type(done.id)("job_left"), state=Submitting(task=task))
        await harness.ledger.open_job(orphan, fingerprint="other", budget=Budget(), process="gone")
        provider.snapshots[task.id] = build_done("b.png")
        await clock.advance(30)
        (job,) = await harness.jobs.get([orphan.id])
        assert job.state == Succeeded((JobImage("img_b.png", 0),))
    assert len(provider.submits) == 1
