"""The keys of an OAuth issuer: fetched seldom, kept while it is away, and no request waits without need."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.testing.auto_clock import AutoAdvanceClock
from atelier_mcp.server.web.issuer_keys import FLOOR_S, FRESH_S, IssuerKeys, IssuerUnreachable
from tests.support.oauth_issuer import OAuthIssuer, serve_issuer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BOUND_S = 5


@pytest.fixture
def clock() -> AutoAdvanceClock:
    """Time passes when a test sleeps."""
    return AutoAdvanceClock()


@pytest.fixture
async def issuer() -> AsyncGenerator[OAuthIssuer]:
    """Whose keys they are."""
    async with serve_issuer() as running:
        yield running


@asynccontextmanager
async def open_keys(issuer: OAuthIssuer, clock: AutoAdvanceClock, *, keys_url: str = "") -> AsyncGenerator[IssuerKeys]:
    """Keys of which none is fetched yet."""
    keys = IssuerKeys(issuer.url, clock=clock, keys_url=keys_url)
    try:
        yield keys
    finally:
        await keys.close()


async def test_a_rotated_key_is_fetched_once_for_all_who_come_with_it(
    issuer: OAuthIssuer, clock: AutoAdvanceClock
) -> None:
    async with open_keys(issuer, clock) as keys:
        assert await keys.get("rsa")
        await clock.sleep(FLOOR_S)
        issuer.rotate("fresh")
        found = await asyncio.gather(*(keys.get("fresh") for _ in range(50)))
    assert all(found)
    assert issuer.fetch_count == 2


async def test_invented_ids_cost_the_issuer_one_question_in_a_while(
    issuer: OAuthIssuer, clock: AutoAdvanceClock
) -> None:
    async with open_keys(issuer, clock) as keys:
        assert await keys.get("rsa")
        await clock.sleep(FLOOR_S)
        assert not any([await keys.get(f"invented-{number}") for number in range(100)])
        assert await keys.get("shared") is None
    assert issuer.fetch_count == 2


async def test_a_known_key_waits_for_nobody(issuer: OAuthIssuer, clock: AutoAdvanceClock) -> None:
    """Neither for another's fetch at a slow issuer, nor for its own renewal."""
    async with open_keys(issuer, clock) as keys:
        assert await keys.get("rsa")
        await clock.sleep(FRESH_S + 1)
        issuer.answer_gate.clear()
        stranger = asyncio.create_task(keys.get("fresh"))
        async with asyncio.timeout(BOUND_S):
            assert await keys.get("rsa")
            assert not stranger.done()
            issuer.rotate("fresh")
            issuer.answer_gate.set()
            assert await stranger


async def test_keys_are_kept_while_the_issuer_is_away(issuer: OAuthIssuer, clock: AutoAdvanceClock) -> None:
    async with open_keys(issuer, clock) as keys:
        assert await keys.get("rsa")
        issuer.is_down = True
        for _ in range(3):
            await clock.sleep(FRESH_S + 1)
            assert await keys.get("fresh") is None
            assert await keys.get("ec")


async def test_a_key_that_the_issuer_withdrew_is_let_go(issuer: OAuthIssuer, clock: AutoAdvanceClock) -> None:
    async with open_keys(issuer, clock) as keys:
        assert await keys.get("rsa")
        issuer.rotate("fresh", keep=False)
        await clock.sleep(FRESH_S + 1)
        assert await keys.get("fresh")
        assert await keys.get("rsa") is None


async def test_without_any_key_nobody_can_say(issuer: OAuthIssuer, clock: AutoAdvanceClock) -> None:
    """And the issuer is asked again soon: until then nobody can come in."""
    issuer.is_down = True
    async with open_keys(issuer, clock, keys_url=f"{issuer.url}/keys") as keys:
        for _ in range(10):
            with pytest.raises(IssuerUnreachable):
                await keys.get("rsa")
        assert issuer.fetch_count == 1
        issuer.is_down = False
        await clock.sleep(6)
        assert await keys.get("rsa")


@pytest.mark.parametrize("metadata", [{}, {"issuer": "https://other.example"}, {"jwks_uri": 5}])
async def test_metadata_of_another_issuer_name_no_keys(
    issuer: OAuthIssuer, clock: AutoAdvanceClock, metadata: dict[str, object]
) -> None:
    issuer.metadata = {**issuer.metadata, **metadata} if metadata else {}
    async with open_keys(issuer, clock) as keys:
        with pytest.raises(IssuerUnreachable):
            await keys.get("rsa")
    assert issuer.fetch_count == 0
