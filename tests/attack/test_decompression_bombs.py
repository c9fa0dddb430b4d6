"""Small files that are large pictures: what a decoder would allocate is bounded, whatever a header says.

How much the worst of them took before all decoding was done in limited processes: the tile 2,150 MB in a call, of which
4,000 MB were still held after thirty; six plain WebPs 4,900 MB.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.images.workers import MAX_TOTAL_BYTES
from tests.support.image_attack import IS_FULL, READERS, MemoryWatch, open_image_attack
from tests.support.image_bombs import (
    build_apng,
    build_gif,
    build_jpeg_of_scans,
    build_plain_webp,
    build_png,
    build_tiff,
    build_tiff_of_strips,
    build_webp_animation,
)
from tests.support.tool_results import get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.image_attack import ImageAttack

WORKER_BYTES = 100_000_000
"""What a worker has by itself, generously."""
HUGE = 26_752

TILES = {
    "a tile": build_tiff(tile_width=HUGE, tile_height=HUGE),
    "a tile in the other byte order": build_tiff(tile_width=HUGE, tile_height=HUGE, order=">"),
    "a tile of a BigTIFF": build_tiff(tile_width=HUGE, tile_height=HUGE, is_big=True),
    "a tile of a BigTIFF in the other byte order": build_tiff(
        tile_width=HUGE, tile_height=HUGE, is_big=True, order=">"
    ),
    "a wide tile": build_tiff(tile_width=2**31 - 16, tile_height=16),
    "a tile in LZW": build_tiff(tile_width=HUGE, tile_height=HUGE, compression=5),
    "a tile as JPEG": build_tiff(tile_width=HUGE, tile_height=HUGE, compression=7, photometric=6, samples=3),
    "a picture": build_tiff(width=HUGE, height=HUGE),
}
TILES_WITHIN_THE_LIMIT = {
    "a tile": build_tiff(tile_width=9_984, tile_height=9_984),
    "a tile in deep colours": build_tiff(tile_width=9_984, tile_height=9_984, bits=16, samples=4, photometric=2),
}
MEGABYTES = zlib.compress(bytes(60_000_000), 9)
BOMBS = {
    "a strip of many samples": build_tiff(samples=65_535),
    "a strip of many bits": build_tiff(bits=65_535),
    "100,000 strips": build_tiff_of_strips(100_000),
    "a zTXt of 60 MB": build_png((64, 64), (b"zTXt", b"a\0\0" + MEGABYTES)),
    "an iTXt of 60 MB": build_png((64, 64), (b"iTXt", b"a\0\1\0\0\0" + MEGABYTES)),
    "an iCCP of 60 MB": build_png((64, 64), (b"iCCP", b"a\0\0" + MEGABYTES)),
    "1,000,000 texts": build_png((64, 64), *[(b"tEXt", b"a\0b")] * 1_000_000),
    "100,000 frames of a PNG": build_apng(100_000),
    "a second size": build_png((64, 64), (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))),
    "pixels without end": build_png((64, 64), pixels=MEGABYTES),
    "a GIF's canvas": build_gif((65_535, 65_535), (1, 1)),
    "a GIF's frame": build_gif((16, 16), (65_535, 65_535)),
    "100,000 frames of a GIF": build_gif((64, 64), (64, 64), frames=100_000),
    "a WebP's canvas": build_webp_animation((2**24, 2**24), frames=1),
    "100,000 frames of a WebP": build_webp_animation((64, 64), frames=100_000),
}
FOREIGN = {
    "an icon": b"\0\0\1\0\1\0\0\0\0\0\1\0 \0" + struct.pack("<II", 10**9, 22) + bytes(64),
    "an Apple icon": b"icns" + struct.pack(">I", 2**31) + b"ic10" + struct.pack(">I", 2**31) + bytes(64),
    "a Photoshop document": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 56, 300_000, 300_000, 16, 3) + bytes(64),
}


@pytest.fixture(scope="module")
async def attack(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ImageAttack]:
    async with open_image_attack(tmp_path_factory.mktemp("bombs")) as attack:
        yield attack


async def test_a_size_that_a_decoder_would_believe_is_refused_before_it_decodes(attack: ImageAttack) -> None:
    """The header of all but the last says 256 x 256."""
    for name, data in TILES.items():
        for words in await attack.hand_over(name, data, most_bytes=2 * WORKER_BYTES, most_s=20):
            assert "at most 100 megapixels are allowed" in words, f"{name}: {words}"


async def test_a_tile_many_times_the_picture_is_refused(attack: ImageAttack) -> None:
    """All of it would be decoded, for a part that is cut off."""
    for name, data in TILES_WITHIN_THE_LIMIT.items():
        for words in await attack.hand_over(name, data, most_bytes=2 * WORKER_BYTES, most_s=20):
            assert "9,984 x 9,984 pixels, many times those of the picture" in words, f"{name}: {words}"


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_takes_no_more_than_its_share(attack: ImageAttack, name: str) -> None:
    """Whether it is a picture in the end or not."""
    tools = tuple(READERS) if IS_FULL else ("view_image", "import_image")
    await attack.hand_over(name, BOMBS[name], tools=tools, most_bytes=500_000_000, most_s=30)


async def test_other_kinds_of_pictures_are_not_decoded_at_all(attack: ImageAttack) -> None:
    for name, data in FOREIGN.items():
        for words in await attack.hand_over(name, data, most_bytes=2 * WORKER_BYTES, most_s=20):
            assert "not a picture we can read" in words, f"{name}: {words}"


async def test_calls_at_once_share_one_budget(attack: ImageAttack) -> None:
    """Six WebPs of some hundred bytes; each alone is a picture that is allowed."""
    data = build_plain_webp(9_999, 10_000) if IS_FULL else build_plain_webp(6_000, 5_000)
    await attack.call("view_image", build_plain_webp(64, 64))  # the server itself is up
    with MemoryWatch().run() as memory:
        results = await asyncio.gather(*(attack.call("view_image", data) for _ in range(6)))
    attack.count("six WebPs at once", memory.peak_bytes, 0)
    assert not any(result.is_error for result in results), get_text(results[0])
    assert memory.peak_bytes < MAX_TOTAL_BYTES + 4 * WORKER_BYTES


async def test_nothing_is_held_after_thirty_calls(attack: ImageAttack) -> None:
    """What a library has once taken, its process may keep: such a worker is replaced."""
    data = build_plain_webp(6_000, 5_000)
    with MemoryWatch().run() as held:
        for _ in range(30 if IS_FULL else 4):
            await attack.call("view_image", data)
        await attack.call("view_image", build_jpeg_of_scans(1, width=64, height=64))
        with MemoryWatch().run() as grown:
            await attack.call("view_image", build_jpeg_of_scans(1, width=64, height=64))
    attack.count("many WebPs one by one", held.peak_bytes, 0)
    assert grown.peak_bytes < WORKER_BYTES
