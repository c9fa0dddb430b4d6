"""The fake clocks of all tests.

``ManualClock`` is for whatever runs loops: time moves only in ``advance``, from one sleeper to the next.
``AutoAdvanceClock`` is for whatever only reads the time or pauses: a sleep returns at once, and its time has passed.
``ManualUnixClock`` is for the emulator, which wants a function that gives Unix seconds.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from itertools import count
from typing import TYPE_CHECKING

from atelier_mcp.server.testing.auto_clock import START, AutoAdvanceClock, FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.jobs.ledger import Ledger

__all__ = ["START", "AutoAdvanceClock", "ManualClock", "ManualUnixClock", "WallClock"]

IDLE_ROUNDS = 25
"""Turns of the event loop without a pending ledger operation after which nothing more happens by itself."""


class ManualUnixClock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class WallClock(ManualUnixClock):
    """The time of day: servers in other processes have no other."""

    def __call__(self) -> float:
        return time.time()


class ManualClock(FakeTime):
    """Time moves in ``advance`` only, from one sleeper to the next; between two, everything that can happen does."""

    def __init__(self, *ledgers: Ledger) -> None:
        super().__init__(START, 1000.0)
        self.ledgers = list(ledgers)
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_s + seconds, next(self._order), timer))
        await timer

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        idle_rounds = 0
        while idle_rounds < IDLE_ROUNDS:
            is_busy = any(ledger.pending for ledger in self.ledgers)
            await asyncio.sleep(0.0005 if is_busy else 0)
            idle_rounds = 0 if is_busy else idle_rounds + 1

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end_s = self._now_s + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end_s:
            self._now_s, _, timer = heapq.heappop(self._sleepers)
            if not timer.done():
                timer.set_result(None)
                await self.settle()
        self._now_s = end_s
        await self.settle()

    async def advance_until(self, condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
        """Let time pass, from one sleeper to the next, until something has happened."""
        end_s = self._now_s + within_s
        await self.settle()
        while not condition():
            assert self._sleepers, "nothing will ever happen"
            assert self._sleepers[0][0] <= end_s, f"did not happen within {within_s} s"
            await self.advance(self._sleepers[0][0] - self._now_s)
