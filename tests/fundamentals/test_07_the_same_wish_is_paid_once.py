"""Seventh: agents retry. A request that is under way already is joined, not paid for again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tool_results import get_structured, get_text, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Call
    from tests.support.emulator_harness import FakeEngine


async def test_an_identical_request_joins_the_job_under_way(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    """The second answer carries the first job's id and says why."""
    engine.answer_gate.clear()
    first = get_structured(await call("generate_image", prompt="a red kite", wait_s=1))
    engine.answer_gate.set()
    second = await call("generate_image", prompt="a red kite")

    assert get_structured(second)["job_id"] == first["job_id"]
    assert "nothing was paid twice" in get_text(second)
    assert len(list_submits(tmp_path / "access.jsonl")) == 1
