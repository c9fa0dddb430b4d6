"""No caller takes all of a server: beyond its limit it is told to come again, and the others notice nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.e2e.test_principals import serve_people
from tests.support.http_process import HEADERS
from tests.support.http_service import build_call, build_modern_call
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.support.emulator_harness import FakeEngine

    Environ = dict[str, str]

LIMIT = 2
BOUND_S = 30.0


async def post_call(address: str, token: str, number: int, *, is_modern: bool) -> httpx2.Response:
    """A call that makes a picture and waits for it."""
    call: dict[str, Any] = {"tool": "generate_image", "prompt": f"kite {number}"}
    body, headers = build_modern_call(**call) if is_modern else (build_call(**call), {})
    headers |= {**HEADERS, "authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(timeout=60) as sender:
        return await sender.post(f"{address}/mcp", json=body, headers=headers)


async def wait_for_unfinished(boss: Client, count: int) -> None:
    async with asyncio.timeout(BOUND_S):
        while len(get_structured(await boss.call_tool("list_jobs", {}))["jobs"]) < count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("is_modern", "has_replicas"), [(True, False), (True, True), (False, True)])
async def test_a_caller_with_too_many_requests_under_way_is_told_to_come_again(
    environ: Environ, engine: FakeEngine, tmp_path: Path, is_modern: bool, has_replicas: bool
) -> None:
    """Before anything is read of the request; another caller is served meanwhile."""
    if has_replicas:  # then callers of the older protocol have no sessions
        environ = {**environ, "ATELIER_SIGNING_KEYS": "k7Xw2Pq9Lm4Rt6Vb8Nz1Hc3Jd5Fg0Sa+"}
    environ = {**environ, "ATELIER_MAX_REQUESTS_PER_PRINCIPAL": str(LIMIT)}
    engine.answer_gate.clear()
    async with serve_people(environ, "alice", "bob", "boss") as (address, (alice, bob, _), (*_, boss)):
        waiting = [asyncio.create_task(post_call(address, alice, n, is_modern=is_modern)) for n in range(LIMIT)]
        await wait_for_unfinished(boss, LIMIT)

        refused = await post_call(address, alice, 7, is_modern=is_modern)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        error = refused.json()["error"]
        assert "2 requests of this caller are under way" in error["message"]
        assert "Nothing was done" in error["message"]

        others = asyncio.create_task(post_call(address, bob, 8, is_modern=is_modern))
        await wait_for_unfinished(boss, LIMIT + 1)
        engine.answer_gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting, others)] == [200] * 3
        again = await post_call(address, alice, 9, is_modern=is_modern)
        assert again.status_code == 200
    log = (tmp_path / "access.jsonl").read_text()
    assert "kite 9" in log
    assert "kite 7" not in log
