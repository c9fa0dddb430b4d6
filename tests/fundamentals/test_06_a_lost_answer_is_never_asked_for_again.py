"""Sixth: if the connection breaks after a request left, nobody knows whether it was accepted. It is not sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tool_results import get_refusal, get_structured, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Call
    from tests.support.emulator_harness import EmulatorHarness


async def test_a_broken_connection_leaves_the_job_unconfirmed(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    """Paying twice or losing what was paid for: which is worse, only the caller knows."""
    await site.call_control("POST", "/faults", {"path": "/mhapi/v1/imgenstd/imgen", "kind": "lost"})

    refusal = get_refusal(await call("generate_image", prompt="a red kite"))

    assert "may have been charged" in refusal
    (job,) = get_structured(await call("list_jobs"))["jobs"]
    assert job["state"] == "unconfirmed"
    assert len(list_submits(tmp_path / "access.jsonl")) == 1
