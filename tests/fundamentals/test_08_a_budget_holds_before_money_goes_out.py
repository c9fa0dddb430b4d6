"""Eighth: limits are checked in the transaction that writes the job down, so that nothing slips between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tool_results import get_refusal, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import NewClient


async def test_a_job_over_the_limit_is_refused_with_what_is_left(new_client: NewClient, tmp_path: Path) -> None:
    """The refusal names the limit, what is left, and when it starts afresh; nothing was sent."""
    async with new_client(ATELIER_BUDGET_PER_DAY="3") as client:
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a red kite", "samples": 4}))

    assert "3 left" in refusal
    assert "asks for 4" in refusal
    assert "Nothing was spent." in refusal
    assert list_submits(tmp_path / "access.jsonl") == []
