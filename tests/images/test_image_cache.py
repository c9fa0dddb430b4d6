"""The cache of a bucket's pictures: bounded, fetched once, and never taken away under a reader."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import StorageUnavailable
from atelier_mcp.server.images.image_cache import ImageCache

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Fetch = Callable[[], AsyncIterator[bytes]]


class Source:
    """Gives the bytes of a picture in two pieces, and counts how often."""

    def __init__(self, data: bytes = b"x" * 1000) -> None:
        self.data = data
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> AsyncIterator[bytes]:
        self.fetches += 1
        yield self.data[:10]
        await self.gate.wait()
        yield self.data[10:]


def measure(folder: Path) -> int:
    """The bytes that the cache holds for itself."""
    return sum(path.stat().st_size for path in (folder / "images").iterdir())


async def test_a_picture_is_fetched_once_however_many_ask(tmp_path: Path) -> None:
    """Four previews of one answer, and every later one."""
    cache, source = ImageCache(tmp_path, max_bytes=10_000), Source()
    source.gate.clear()
    asked = [asyncio.create_task(cache.pin("img_a.png", source.fetch)) for _ in range(4)]
    while not source.fetches:
        await asyncio.sleep(0)
    source.gate.set()
    paths = await asyncio.gather(*asked)
    assert {path.read_bytes() for path in paths} == {source.data}
    assert len(set(paths)) == 4
    assert (await cache.pin("img_a.png", source.fetch)).read_bytes() == source.data
    assert source.fetches == 1


async def test_it_holds_no_more_than_it_may_and_those_used_last(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, max_bytes=3500)
    sources = {f"img_{letter}.png": Source() for letter in "abcde"}
    for number, (name, source) in enumerate(sources.items()):
        await cache.release(await cache.pin(name, source.fetch))
        # A file system's times may stand still for a moment.
        os.utime(tmp_path / "images" / name, (1000 + number, 1000 + number))
        if number == 2:
            await cache.release(await cache.pin("img_a.png", sources["img_a.png"].fetch))
            os.utime(tmp_path / "images" / "img_a.png", (2000, 2000))
        assert measure(tmp_path) <= 3500
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["img_a.png", "img_d.png", "img_e.png"]


async def test_what_is_lent_stays_when_room_is_made(tmp_path: Path) -> None:
    """A decoder opens it a little later, in another process."""
    cache = ImageCache(tmp_path, max_bytes=1500)
    first = await cache.pin("img_a.png", Source(b"a" * 1000).fetch)
    for letter in "bcd":
        await cache.release(await cache.pin(f"img_{letter}.png", Source().fetch))
    assert first.read_bytes() == b"a" * 1000
    await cache.release(first)
    assert not first.exists()


async def test_a_picture_larger_than_the_cache_is_lent_all_the_same(tmp_path: Path) -> None:
    cache, source = ImageCache(tmp_path, max_bytes=100), Source()
    assert (await cache.pin("img_a.png", source.fetch)).read_bytes() == source.data
    assert measure(tmp_path) == 0


async def test_a_fetch_that_fails_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    """No half picture is ever shown."""

    async def fail() -> AsyncIterator[bytes]:
        yield b"half"
        raise StorageUnavailable("cut")

    cache, source = ImageCache(tmp_path, max_bytes=10_000), Source()
    with pytest.raises(StorageUnavailable):
        await cache.pin("img_a.png", fail)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert (await cache.pin("img_a.png", source.fetch)).read_bytes() == source.data


async def test_one_who_gives_up_does_not_stop_the_others(tmp_path: Path) -> None:
    """A call is cancelled while another one waits for the same picture."""
    cache, source = ImageCache(tmp_path, max_bytes=10_000), Source()
    source.gate.clear()
    first = asyncio.create_task(cache.pin("img_a.png", source.fetch))
    while not source.fetches:
        await asyncio.sleep(0)
    second = asyncio.create_task(cache.pin("img_a.png", source.fetch))
    first.cancel()
    source.gate.set()
    assert (await second).read_bytes() == source.data


async def test_what_a_killed_process_was_lent_goes_after_a_day(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path, max_bytes=10_000)
    left, fresh = [await cache.pin(f"img_{letter}.png", Source().fetch) for letter in "ab"]
    two_days_ago_s = time.time() - 2 * 86_400
    os.utime(left.parent, (two_days_ago_s, two_days_ago_s))
    await ImageCache(tmp_path, max_bytes=10_000).pin("img_c.png", Source().fetch)
    assert (left.exists(), fresh.exists()) == (False, True)


async def test_the_folder_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    cache, source = ImageCache(tmp_path / "cache", max_bytes=10_000), Source()
    await cache.add("img_a.png", source.data)
    for path in sorted((tmp_path / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert (await cache.pin("img_a.png", source.fetch)).read_bytes() == source.data
    assert source.fetches == 1
