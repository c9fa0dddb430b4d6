"""Work for the engine that takes more memory than there is: it ends alone, and the next finds a fresh process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.engine.pool import EnginePool
from atelier_mcp.server.workers.process import WorkerError
from tests.support.emulator_harness import encode_plain_image
from tests.support.image_attack import MemoryWatch

if TYPE_CHECKING:
    from tests.support.attack_tally import AttackTally

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone holds a process to a limit on memory")

FUNCTIONS: Final = "atelier_mcp.server.engine.worker_functions"
CALL_BYTES: Final = 900_000_000
SLACK_BYTES: Final = 300_000_000
"""What a worker has by itself."""
USUAL: Final[dict[str, Any]] = {"seed": 1, "file_format": "JPG", "watermark": "Default"}
HUGE_SIDES_PX: Final = (13_000, 20_000)
"""The first is beyond the limit in the middle of the work, the second from the start."""


async def test_a_call_of_the_engine_ends_at_its_limit_and_its_worker_is_replaced(tally: AttackTally) -> None:
    """As a client of the emulator could ask for, were its own limits wrong."""
    image = encode_plain_image(512, 512)
    async with EnginePool(1, call_bytes=CALL_BYTES) as pool:
        for side_px in HUGE_SIDES_PX:
            name = f"{side_px} x {side_px}"
            work = {"style": "oil", "width": side_px, "height": side_px, "samples": 1}
            with MemoryWatch().run() as memory:
                try:
                    await pool.run(f"{FUNCTIONS}:stylise", image=image, **USUAL, **work)
                    outcome = "it was done"
                except WorkerError as err:
                    outcome = type(err).__name__
            is_bounded = outcome != "it was done" and memory.peak_bytes < CALL_BYTES + SLACK_BYTES
            tally.record(f"{name}: {outcome}, {memory.peak_bytes / 1e6:.0f} MB", got_through=not is_bounded)
            tally.figures[name] = f"{outcome} at {memory.peak_bytes / 1e6:.0f} MB"
            with MemoryWatch().run() as held:
                done = await pool.run(f"{FUNCTIONS}:upscale", image=image, ratio=1.5, **USUAL)
            tally.record(f"{name}: nothing works after it", got_through=len(done.images) != 1)
            tally.record(f"{name}: memory is held", got_through=held.peak_bytes > SLACK_BYTES)
