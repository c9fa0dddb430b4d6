"""Jobs that go on only while they are looked at: the look does the work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.jobs.model import Job, Queued, Succeeded
from atelier_mcp.server.providers.base import Done, Working
from atelier_mcp.server.requests.aws import AddCheckpoint

if TYPE_CHECKING:
    from jobs.doubles import HandRoom

UPLOAD = AddCheckpoint.model_validate({"kind": "Lora", "file": "/models/ink.safetensors"})


@pytest.fixture
def uploading(room: HandRoom) -> HandRoom:
    """A room whose upstream takes uploads."""
    room.provider.capabilities = frozenset({"add_checkpoint"})
    return room


async def test_it_is_looked_at_from_the_beginning_and_again_as_soon_as_it_asks_for(uploading: HandRoom) -> None:
    room, provider = uploading, uploading.provider
    job = (await room.jobs.start(UPLOAD, caller="me")).job
    assert isinstance(job.state, Queued)
    provider.stands[job.state.task.id] = Working(0.1, "uploading", again_s=0.05)
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=100))
    await room.clock.until(lambda: len(provider.looks) >= 6, within_s=3)
    provider.stands[job.state.task.id] = Done(data={"checkpoint_id": "c1"})
    await room.clock.until(waiting.done, within_s=3)
    (ended,) = await waiting
    assert isinstance(ended, Job)
    assert ended.state == Succeeded((), {"checkpoint_id": "c1"})
