"""Jobs that begin with their first poll, which comes at once, and say when the next one is to come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.jobs.model import Job, Queued, Succeeded
from atelier_mcp.server.providers.base import TaskRunning, TaskSucceeded
from atelier_mcp.server.requests.aws import AddCheckpoint
from tests.jobs.doubles import ScriptedOperation

if TYPE_CHECKING:
    from tests.jobs.doubles import ManualJobsHarness

UPLOAD = AddCheckpoint.model_validate({"kind": "Lora", "file": "/models/ink.safetensors"})


@pytest.fixture
def uploading(harness: ManualJobsHarness) -> ManualJobsHarness:
    """A harness whose upstream takes uploads."""
    harness.provider.operations = {"aws_add_checkpoint": ScriptedOperation(harness.provider, AddCheckpoint)}
    return harness


async def test_it_is_looked_at_from_the_beginning_and_again_as_soon_as_it_asks_for(
    uploading: ManualJobsHarness,
) -> None:
    harness, provider = uploading, uploading.provider
    job = (await harness.submitter.start(UPLOAD, caller="me")).job
    assert isinstance(job.state, Queued)
    provider.snapshots[job.state.task.id] = TaskRunning(0.1, "uploading", poll_after_s=0.05)
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=100))
    await harness.clock.advance_until(lambda: len(provider.polls) >= 6, within_s=3)
    provider.snapshots[job.state.task.id] = TaskSucceeded(data={"checkpoint_id": "c1"})
    await harness.clock.advance_until(waiting.done, within_s=3)
    (ended,) = await waiting
    assert isinstance(ended, Job)
    assert ended.state == Succeeded((), {"checkpoint_id": "c1"})
