"""Ninth: one background poller asks for many jobs in one request, within the account's rate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.tool_results import get_structured, read_access_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Call


async def test_twelve_jobs_take_fewer_status_requests_than_jobs(call: Call, tmp_path: Path) -> None:
    """Each caller waits for its own job; the service is asked for all of them together."""
    results = await asyncio.gather(*(call("generate_image", prompt=f"kite number {n}") for n in range(12)))

    assert {get_structured(result)["state"] for result in results} == {"succeeded"}
    polls = [
        line for line in read_access_log(tmp_path / "access.jsonl") if line["path"].endswith(("/result", "/results"))
    ]
    assert 0 < len(polls) < 12
