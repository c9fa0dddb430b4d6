"""A call answers within its ``wait_s``, however slow a picture's way is; nothing is lost or paid for twice by that."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.emulator_harness import encode_plain_image, get_non_loopback_mhapi_url
from tests.support.stepped_server import MHAPI, UPSTREAMS, SteppedServer
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp import Client

MIAOHUA: Final = UPSTREAMS[1]
ANSWER_S: Final = 20.0
"""What the answer's own way may take of the clock's time, which goes on while a busy machine computes."""
UPLOADS: Final = re.compile(r"/upload_imgs?$")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        running.gateway.pattern = UPLOADS
        yield running


@pytest.fixture
def image(tmp_path: Path) -> str:
    """A local picture, which is uploaded to the service before its job is sent."""
    path = tmp_path / "cup.png"
    path.write_bytes(encode_plain_image(640, 640))
    return str(path)


@asynccontextmanager
async def connect(world: SteppedServer, tmp_path: Path) -> AsyncGenerator[Client]:
    """A client of a server whose pictures reach MHAPI by way of Miaohua's uploads, before a job is sent."""
    url = get_non_loopback_mhapi_url(world.site)
    other = MIAOHUA.build_environ(url.removesuffix("/mhapi"))
    async with world.connect(MHAPI, **other, MHAPI_BASE_URL=url, ATELIER_INPUT_ROOTS=str(tmp_path)) as client:
        get_text(await world.call(client, "list_jobs"))  # opens the services, which takes its time
        yield client


def count_submits(world: SteppedServer) -> int:
    """Jobs that the service drew."""
    return len([name for name, _ in world.engine.calls if name == "generate"])


@pytest.mark.parametrize("wait_s", [0, 5, 20])
async def test_a_slow_upload_does_not_hold_a_call_for_longer_than_it_waits(
    world: SteppedServer, image: str, tmp_path: Path, wait_s: int
) -> None:
    """The answer says that it goes on; who asks again waits for the same job."""
    async with connect(world, tmp_path) as client:
        world.gateway.gate.clear()
        began_s = world.clock.monotonic()
        words = get_refusal(
            await world.call(client, "generate_image", prompt="a cup", image=image, provider="mhapi", wait_s=wait_s)
        )
        assert world.clock.monotonic() - began_s <= max(wait_s, 3) + ANSWER_S
        assert "still on their way" in words
        assert "Nothing was spent." in words
        world.recover()
        answer = await world.call(client, "generate_image", prompt="a cup", image=image, provider="mhapi", wait_s=45)
        assert get_structured(answer)["state"] == "succeeded"
        assert count_submits(world) == 1


async def test_what_nobody_asks_for_again_becomes_a_job_all_the_same(
    world: SteppedServer, image: str, tmp_path: Path
) -> None:
    async with connect(world, tmp_path) as client:
        world.gateway.gate.clear()
        get_refusal(await world.call(client, "generate_image", prompt="a cup", image=image, provider="mhapi", wait_s=1))
        world.recover()
        await world.clock.advance(30)
        (job,) = get_structured(await world.call(client, "list_jobs"))["jobs"]
        assert job["state"] == "succeeded"
        assert count_submits(world) == 1


async def test_two_calls_for_the_same_wait_for_one_upload(world: SteppedServer, image: str, tmp_path: Path) -> None:
    async with connect(world, tmp_path) as client:
        world.gateway.gate.clear()
        for _ in range(3):
            get_refusal(
                await world.call(client, "generate_image", prompt="a cup", image=image, provider="mhapi", wait_s=1)
            )
        world.recover()
        answer = get_text(
            await world.call(client, "generate_image", prompt="a cup", image=image, provider="mhapi", wait_s=45)
        )
        assert "nothing was paid twice" in answer or "1 picture" in answer
        assert count_submits(world) == 1
