"""Fourth: clients give up after a minute, jobs take longer. The call ends in time, and the job goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Call
    from tests.support.emulator_harness import FakeEngine


async def test_a_job_that_takes_longer_is_picked_up_by_its_id(call: Call, engine: FakeEngine) -> None:
    """The answer of a call whose wait ended names the job and the next call."""
    engine.answer_gate.clear()
    async with asyncio.timeout(10):
        unfinished = await call("generate_image", prompt="a red kite", wait_s=0.5)
    job_id = get_structured(unfinished)["job_id"]
    assert "call wait_for_jobs" in get_text(unfinished)

    engine.answer_gate.set()
    (job,) = get_structured(await call("wait_for_jobs", job_ids=[job_id]))["jobs"]
    assert job["state"] == "succeeded"
