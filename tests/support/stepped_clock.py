"""A clock for a whole server: it stands still, until a test lets it go on from one sleeper to the next.

Unlike ``ManualClock`` it is for servers that speak over real sockets and work in threads: between two steps they get a
moment of real time, and no more of the clock's; while a thread works or a request is answered, there is no step.
"""

from __future__ import annotations

import asyncio
import heapq
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

from atelier_mcp.server.testing.auto_clock import START, FakeTime
from tests.support.clock import ManualUnixClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

T = TypeVar("T")

MOMENT_S: Final = 0.003
"""Real seconds between two steps."""
LONGEST_STEP_S: Final = 1.0


class SteppedClock(FakeTime):
    """Time of day, monotonic time and sleeping, as the test lets them pass."""

    def __init__(self) -> None:
        super().__init__(START, 1000.0)
        self.busy_count: int = 0
        """Threads at work and requests in flight: while there are any, no time passes."""
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def watch_threads(self) -> None:
        """Count what the running loop does in threads."""
        loop = asyncio.get_running_loop()
        run_in_executor = loop.run_in_executor

        def run_counted(*args: Any) -> asyncio.Future[Any]:
            self.busy_count += 1
            future = run_in_executor(*args)
            future.add_done_callback(self._count_down)
            return future

        loop.run_in_executor = run_counted  # pyright: ignore[reportAttributeAccessIssue]  # the loop goes with the test

    def _count_down(self, _future: asyncio.Future[Any]) -> None:
        self.busy_count -= 1

    @contextmanager
    def hold(self) -> Generator[None]:
        """Let no time pass while something is done."""
        self.busy_count += 1
        try:
            yield
        finally:
            self.busy_count -= 1

    def skip(self, seconds: float) -> None:
        """Let ``seconds`` pass at once: whoever sleeps meanwhile wakes at their end."""
        self._now_s += seconds

    def leap(self, seconds: float) -> None:
        """Set the time of day forward or back; the monotonic time stays."""
        self._start += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_s + seconds, next(self._order), timer))
        await timer

    async def run(self, call: Awaitable[T], *, within_s: float = 120.0) -> T:
        """What a call comes to, with as much time as it needs."""
        task, end_s = asyncio.ensure_future(call), self._now_s + within_s
        while not task.done():
            assert self._now_s <= end_s, f"did not end within {within_s} s"
            await asyncio.wait({task}, timeout=MOMENT_S)
            self._step(end_s + LONGEST_STEP_S)
        return await task

    async def advance(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """Let ``seconds`` pass, or less when ``until`` comes true."""
        end_s = self._now_s + seconds
        while self._now_s < end_s and not until():
            # Nothing to wait for by name: whatever was woken gets a moment for its sockets and threads.
            await asyncio.wait({asyncio.ensure_future(asyncio.sleep(MOMENT_S))})
            self._step(end_s)

    def _step(self, end_s: float) -> None:
        """Go on to the next sleeper, or a second, but not past ``end_s``."""
        if self.busy_count:
            return
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        next_s = self._sleepers[0][0] if self._sleepers else self._now_s + LONGEST_STEP_S
        self._now_s = max(self._now_s, min(next_s, end_s))
        while self._sleepers and self._sleepers[0][0] <= self._now_s:
            timer = heapq.heappop(self._sleepers)[2]
            if not timer.done():
                timer.set_result(None)


class SteppedUnixClock(ManualUnixClock):
    """The same time for the emulator, on another machine: its time of day does not leap."""

    def __init__(self, clock: SteppedClock) -> None:
        super().__init__()
        self._clock = clock
        self._offset_s = clock.now().timestamp() - clock.monotonic()

    def __call__(self) -> float:
        return self._offset_s + self._clock.monotonic()
