"""Where time comes from, so that a test can drive it by hand."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Clock(Protocol):
    """The time of day, the time that never jumps, and waiting."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Return when ``seconds`` have passed."""
        ...


class SystemClock:
    """The computer's own time."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` have passed."""
        await asyncio.sleep(seconds)


async def wait_with_timeout(clock: Clock, timeout_s: float, coroutine: Coroutine[object, object, object]) -> bool:
    """Wait for ``coroutine`` at most ``timeout_s`` of ``clock``; False when the time ended first.

    What is awaited is cancelled when the time ends, so it must lose nothing by that: ``Event.wait`` is such a thing.
    """
    # Two tasks rather than asyncio.timeout, which knows the loop's time only and not that of a test's clock.
    waiting_task = asyncio.ensure_future(coroutine)
    timer = asyncio.ensure_future(clock.sleep(timeout_s))
    try:
        await asyncio.wait({waiting_task, timer}, return_when=asyncio.FIRST_COMPLETED)
        return waiting_task.done()
    finally:
        for task in (waiting_task, timer):
            task.cancel()
        # Neither may outlive the call, and an error of the loser is read so that it is not reported as never retrieved.
        await asyncio.gather(waiting_task, timer, return_exceptions=True)
