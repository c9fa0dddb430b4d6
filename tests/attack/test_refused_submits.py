"""What is said of money when a gateway, or the service, turns a submit away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.bad_gateway import SUBMITS, BadAnswer
from tests.support.stepped_server import MHAPI, UPSTREAMS, SteppedServer, Upstream
from tests.support.tool_results import get_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

REFUSED: Final = (400, 401, 403, 404, 405, 410, 413, 415, 418, 421, 422, 425, 431, 451)
"""The request was read and turned away."""
UNDECIDED: Final = (408, 409, 460, 499, 520, 521, 524)
"""Somebody ran out of time, hung up or stumbled: the service may have the job. Others are in ``tests/faults``."""
PAGE: Final = b"<html><body>nginx</body></html>"
CHAT: Final = "sensenova"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        running.gateway.pattern = SUBMITS
        yield running


async def submit_to_each_status(
    world: SteppedServer, upstream: Upstream | str, statuses: tuple[int, ...]
) -> dict[int, str]:
    """What the caller of a job is told, by the status that its submit was answered with."""
    more: dict[str, Any] = {}
    if upstream == CHAT:
        url = f"{world.site.emulator.base_url}/sensenova"
        more = {"SENSENOVA_API_KEY": DEMO_API_KEY, "SENSENOVA_CHAT_URL": url, "ATELIER_TOOLSETS": "all"}
    words: dict[int, str] = {}
    async with world.connect(MHAPI if isinstance(upstream, str) else upstream, **more) as client:
        for status in statuses:
            world.gateway.answer = BadAnswer("page", status, PAGE)
            if upstream == CHAT:
                messages = [{"role": "user", "content": f"Hello {status}"}]
                answer = await world.call(client, "chat", messages=messages, wait_s=50)
            else:
                answer = await world.call(client, "generate_image", prompt=f"kite {status}", wait_s=50)
            words[status] = get_refusal(answer)
    return words


@pytest.mark.parametrize("upstream", [*UPSTREAMS, CHAT], ids=str)
async def test_a_submit_that_was_certainly_refused_costs_nothing(
    world: SteppedServer, upstream: Upstream | str
) -> None:
    words = await submit_to_each_status(world, upstream, REFUSED)
    assert {status: text for status, text in words.items() if "Nothing was spent." not in text} == {}


@pytest.mark.parametrize("upstream", [*UPSTREAMS, CHAT], ids=str)
async def test_a_submit_that_may_have_been_taken_is_unconfirmed(world: SteppedServer, upstream: Upstream | str) -> None:
    words = await submit_to_each_status(world, upstream, UNDECIDED)
    assert {status: text for status, text in words.items() if "may have been charged" not in text} == {}
