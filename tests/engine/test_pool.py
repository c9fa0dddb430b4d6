"""What the engine's workers are: processes that call its functions, on one core each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.engine.pool import EnginePool
from atelier_mcp.server.workers.pool import WorkerPool
from atelier_mcp.server.workers.process import WorkerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def pool() -> AsyncGenerator[EnginePool]:
    async with EnginePool(1) as opened:
        yield opened


async def test_the_engines_functions_are_what_it_runs(pool: EnginePool) -> None:
    with pytest.raises(WorkerError, match="not a picture"):
        await pool.run("atelier_mcp.server.engine.pixels:decode", b"not a picture")
    with pytest.raises(ValueError, match="is not a function of"):
        await pool.run("atelier_mcp.server.images.probe:probe", b"")


async def test_a_call_uses_one_core() -> None:
    """The pool runs calls beside each other; OpenCV's own threads would only get in their way."""
    prepare = "atelier_mcp.server.engine.worker_setup:limit_opencv_threads"
    async with WorkerPool(1, package="cv2", prepare=prepare) as opened:
        assert await opened.run("cv2:getNumThreads") == 1
