"""Picture work in workers: what is estimated, what is shared, and what comes of an estimate that was too low."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode_cost import estimate_cost
from atelier_mcp.server.images.memory_budget import MemoryBudget
from atelier_mcp.server.images.probe import probe, probe_file
from atelier_mcp.server.images.transform import transform
from atelier_mcp.server.images.transformation import Transformation
from atelier_mcp.server.images.workers import ImageWorkers
from tests.images.samples import draw_sample, encode_image, make_image
from tests.support.image_bombs import build_gif, build_jpeg_of_scans, build_tiff, build_webp_animation, encode

if TYPE_CHECKING:
    from pathlib import Path

TOTAL = 1000
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF")


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_size_of_a_picture_is_read_without_a_decoder(image_format: str) -> None:
    data = encode_image(draw_sample(300, 200), image_format)
    cost = estimate_cost(data, image_format)
    assert (cost.width, cost.height, cost.scans) == (300, 200, 1)


@pytest.mark.parametrize(
    ("data", "image_format", "pixels"),
    [
        (build_tiff(tile_width=4096, tile_height=2048), "TIFF", 4096 * 2048),
        (build_tiff(tile_width=4096, tile_height=2048, order=">", is_big=True), "TIFF", 4096 * 2048),
        (build_tiff(rows_per_strip=2**32 - 1), "TIFF", 256 * 256),
        (build_gif((3000, 2000), (16, 16)), "GIF", 3000 * 2000),
        (build_webp_animation((5000, 4000), frames=3), "WEBP", 5000 * 4000),
        (encode("WEBP", Image.new("RGB", (640, 480))), "WEBP", 640 * 480),
    ],
)
def test_the_largest_size_that_a_file_claims_counts(data: bytes, image_format: str, pixels: int) -> None:
    assert estimate_cost(data, image_format).pixels == pixels


def test_the_scans_of_a_jpeg_are_counted() -> None:
    assert estimate_cost(build_jpeg_of_scans(100, width=64, height=64), "JPEG").scans > 100


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_file_that_is_cut_off_anywhere_is_estimated(image_format: str) -> None:
    """Nothing is raised: whether it is a picture is for a worker to say."""
    data = encode_image(draw_sample(40, 30), image_format)
    for size_bytes in range(0, len(data), 7):
        assert estimate_cost(data[:size_bytes], image_format).pixels >= 0


async def test_who_asks_first_gets_memory_first() -> None:
    """A small call does not overtake a large one: it could do so for ever."""
    budget, order = MemoryBudget(TOTAL), list[str]()

    async def work(name: str, wanted_bytes: int, until: asyncio.Event) -> None:
        async with budget.reserve(wanted_bytes):
            order.append(name)
            await until.wait()

    first_is_over, others_are_over = asyncio.Event(), asyncio.Event()
    others_are_over.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(work("half", TOTAL // 2, first_is_over))
        group.create_task(work("all", TOTAL, others_are_over))
        small = group.create_task(work("small", 1, others_are_over))
        await asyncio.sleep(0)
        assert order == ["half"]
        assert not small.done()
        first_is_over.set()
    assert order == ["half", "all", "small"]


async def test_memory_that_a_cancelled_call_waited_for_or_held_is_free_again() -> None:
    budget = MemoryBudget(TOTAL)

    async def hold() -> None:
        async with budget.reserve(TOTAL):
            await asyncio.Event().wait()

    calls = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
    async with budget.reserve(TOTAL) as reserved_bytes:
        assert reserved_bytes == TOTAL


async def test_more_than_there_is_is_all_there_is() -> None:
    async with MemoryBudget(TOTAL).reserve(5 * TOTAL) as reserved_bytes:
        assert reserved_bytes == TOTAL


async def test_a_result_much_larger_than_its_picture_is_made(workers: ImageWorkers) -> None:
    """Nothing about the picture says so beforehand: the call is made again with all the memory there is."""
    data = make_image("PNG", 64, 64)
    header = await workers.run(probe, data)
    result, _ = await workers.run(transform, data, header, Transformation(width=9000, height=9000, fit="stretch"))
    assert (await workers.run(probe, result)).width == 9000


@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a limit on memory")
@pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to a limit on memory")
async def test_what_needs_more_memory_than_there_is_is_refused() -> None:
    data = make_image("PNG", 64, 64)
    async with ImageWorkers(total_bytes=120_000_000) as workers:
        header = await workers.run(probe, data)
        with pytest.raises(ImageRefused, match="needs more than 120 MB of memory to be worked on"):
            await workers.run(transform, data, header, Transformation(width=9000, height=9000, fit="stretch"))


async def test_a_file_that_is_gone_is_a_refusal(workers: ImageWorkers, tmp_path: Path) -> None:
    """Somebody tidied up between two steps."""
    with pytest.raises(ImageRefused, match=r"gone\.png cannot be read any more"):
        await workers.run(probe_file, tmp_path / "gone.png")
