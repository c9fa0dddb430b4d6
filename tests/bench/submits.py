"""Our own time in a submit: everything but the upstream, on a durable SQLite ledger."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from tests.bench.figures import Figure, percentile, tell
from tests.jobs.doubles import ScriptedProvider, open_room, words

from atelier_mcp.server.jobs.clock import SystemClock

SUBMITS = 400
AT_ONCE = 50


async def _timed_submits(folder: Path) -> list[float]:
    """Seconds of each of ``SUBMITS`` submits, one after the other, to an upstream that answers at once."""
    clock = SystemClock()
    taken_s: list[float] = []
    async with open_room(folder, ScriptedProvider(clock), clock) as room:
        await room.jobs.start(words("the first opens the ledger"), caller="bench")
        for n in range(SUBMITS):
            began_s = time.perf_counter()
            await room.jobs.start(words(f"kite {n}"), caller="bench")
            taken_s.append(time.perf_counter() - began_s)
    return taken_s


async def _crowded_submits(folder: Path) -> float:
    """Seconds per submit when ``AT_ONCE`` arrive together and share their flushes."""
    clock = SystemClock()
    async with open_room(folder, ScriptedProvider(clock), clock) as room:
        await room.jobs.start(words("the first opens the ledger"), caller="bench")
        began_s = time.perf_counter()
        await asyncio.gather(*(room.jobs.start(words(f"kite {n}"), caller="bench") for n in range(AT_ONCE)))
        return (time.perf_counter() - began_s) / AT_ONCE


async def measure() -> None:
    """Tell the median, the slow end, and the share of one in a crowd."""
    with tempfile.TemporaryDirectory() as alone, tempfile.TemporaryDirectory() as crowd:
        taken_s = await _timed_submits(Path(alone))
        crowded_s = await _crowded_submits(Path(crowd))
    tell(
        Figure("our own time in a submit, SQLite, durable: median", percentile(taken_s, 0.5) * 1e3, "ms", at_most=5),
        Figure("our own time in a submit, SQLite, durable: p95", percentile(taken_s, 0.95) * 1e3, "ms"),
        Figure(f"our own time per submit, {AT_ONCE} at once", crowded_s * 1e3, "ms"),
    )


if __name__ == "__main__":
    asyncio.run(measure())
