"""Pictures and shapes that take minutes: each has its end, and whoever waits for another is not kept waiting.

A JPEG of 20,000 scans in six calls once ended all picture work of a server until it was killed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.probe import probe, verify
from atelier_mcp.server.images.workers import ImageWorkers
from tests.support.image_attack import list_children, open_image_attack, read_cpu_s
from tests.support.image_bombs import build_jpeg_of_scans, build_plain_webp
from tests.support.tool_results import get_refusal, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.image_attack import ImageAttack

SLOW = build_jpeg_of_scans(440)[:-2]
"""Within all bounds, and without its end, for which it is decoded five times: what is left to a stranger who knows the
bounds. It ends when it has been computed on for ten seconds."""
NATURAL_END_S = 10
BOUND_S = 120


@pytest.fixture(scope="module")
async def attack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ImageAttack]:
    async with open_image_attack(tmp_path_factory.mktemp("bombs")) as attack:
        yield attack


async def wait_until_busy(count: int, *, others: set[int]) -> None:
    """Return when so many workers, ``others`` not counted, have computed for a while on something."""
    with anyio.fail_after(BOUND_S):
        while sum(read_cpu_s(worker) > 1 for worker in {*list_children()} - others) < count:
            await asyncio.sleep(0)


@pytest.mark.parametrize(("scans", "width"), [(20_000, 3000), (20_000, 16), (501, 3000)])
async def test_a_jpeg_of_many_scans_is_refused_at_once(attack: ImageAttack, scans: int, width: int) -> None:
    """In six calls at once, as it was found."""
    data = build_jpeg_of_scans(scans, width=width)
    started_s = time.monotonic()
    results = await asyncio.gather(*(attack.call("view_image", data) for _ in range(6)))
    attack.count(f"{scans} scans in six calls", 0, time.monotonic() - started_s)
    assert all("draws its pixels" in get_refusal(result) for result in results)
    for words in await attack.hand_over(f"{scans} scans", data, most_bytes=200_000_000, most_s=20):
        assert "draws its pixels" in words


async def test_a_picture_that_takes_too_long_is_refused_and_the_next_one_is_read() -> None:
    """The worker is gone with it: nothing goes on in secret."""
    async with ImageWorkers(time_limit_s=1) as workers:
        others = set(list_children())
        with pytest.raises(ImageRefused, match="takes longer than 1 s to read"):
            await workers.run(verify, SLOW)
        assert (await workers.run(probe, build_plain_webp(64, 48))).width == 64
        assert all(read_cpu_s(worker) < 1 for worker in {*list_children()} - others)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has computed")
async def test_a_cancelled_call_frees_its_worker(tmp_path: Path) -> None:
    """More calls than there can be workers: all of them are busy, and the others wait."""
    others = set(list_children())
    async with open_image_attack(tmp_path) as attack:
        calls = [asyncio.create_task(attack.call("view_image", SLOW)) for _ in range(6)]
        await wait_until_busy(2, others=others)
        started_s = time.monotonic()
        for one in calls:
            one.cancel()
        result = await attack.call("view_image", build_plain_webp(64, 64))
        taken_s = time.monotonic() - started_s
        attack.count("a picture after six cancelled calls", 0, taken_s)
        assert not result.is_error, get_text(result)
        assert taken_s < NATURAL_END_S


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has computed")
async def test_the_server_closes_while_a_worker_is_busy(tmp_path: Path) -> None:
    others = set(list_children())
    async with open_image_attack(tmp_path) as attack:
        call = asyncio.create_task(attack.call("view_image", SLOW))
        await wait_until_busy(1, others=others)
        started_s = time.monotonic()
    taken_s = time.monotonic() - started_s
    assert "The server is closing." in get_refusal(await call)
    assert {*list_children()} <= others
    assert taken_s < NATURAL_END_S - 1


SHAPES: dict[str, list[dict[str, Any]]] = {
    "a polygon of 100,000 points": [{"type": "polygon", "points": [7, 9] * 100_000}],
    "64 thick strokes": [{"type": "stroke", "width": 2000, "points": [0, 0, 900, 900] * 900}] * 64,
    "64 polygons": [{"type": "polygon", "points": [0, 0, 900, 900] * 900}] * 64,
}


@pytest.mark.parametrize("name", SHAPES)
async def test_shapes_that_take_long_to_draw_are_refused(attack: ImageAttack, name: str) -> None:
    data = build_plain_webp(1000, 1000)
    started_s = time.monotonic()
    words = get_refusal(await attack.call("make_mask", data, shapes=SHAPES[name]))
    attack.count(name, 0, time.monotonic() - started_s)
    assert "points" in words
    assert "incident" not in words


async def test_an_outline_drawn_by_hand_is_drawn(attack: ImageAttack) -> None:
    """Some hundred points, on a picture as large as services take."""
    outline = [coordinate for step in range(900) for coordinate in (100 + 5 * step, 500 + step % 50)]
    result = await attack.call(
        "make_mask", build_plain_webp(6000, 1500), shapes=[{"type": "stroke", "width": 60, "points": outline}]
    )
    assert not result.is_error, get_text(result)
