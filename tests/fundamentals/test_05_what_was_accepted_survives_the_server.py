"""Fifth: a job is in the ledger before its request leaves, so that any later server can finish it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tool_results import get_structured, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import NewClient
    from tests.support.emulator_harness import FakeEngine


async def test_the_next_server_finishes_what_the_last_one_began(
    new_client: NewClient, engine: FakeEngine, tmp_path: Path
) -> None:
    """Memory is not asked; nothing is sent a second time."""
    engine.answer_gate.clear()
    async with new_client() as client:
        started = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 1}))
    engine.answer_gate.set()
    async with new_client() as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [started["job_id"]]}))["jobs"]

    assert job["state"] == "succeeded"
    assert len(list_submits(tmp_path / "access.jsonl")) == 1
