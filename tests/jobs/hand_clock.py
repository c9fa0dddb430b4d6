"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.jobs.ledger import Ledger

CALM_ROUNDS = 25
"""Turns of the event loop without a pending ledger operation after which nothing more happens by itself."""


class HandClock:
    """Time moves in ``advance`` only, from one sleeper to the next; between two, everything that can happen does."""

    def __init__(self, *ledgers: Ledger) -> None:
        self.ledgers = list(ledgers)
        self._s = 1000.0
        self._begin = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self._s - 1000.0)

    def monotonic(self) -> float:
        return self._s

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._s + seconds, next(self._order), alarm))
        await alarm

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        calm = 0
        while calm < CALM_ROUNDS:
            busy = any(ledger.pending for ledger in self.ledgers)
            await asyncio.sleep(0.0005 if busy else 0)
            calm = 0 if busy else calm + 1

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ends_s = self._s + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= ends_s:
            self._s, _, alarm = heapq.heappop(self._sleepers)
            if not alarm.done():
                alarm.set_result(None)
                await self.settle()
        self._s = ends_s
        await self.settle()

    async def until(self, happened: Callable[[], bool], *, within_s: float = 60.0) -> None:
        """Let time pass, from one sleeper to the next, until something has happened."""
        ends_s = self._s + within_s
        await self.settle()
        while not happened():
            assert self._sleepers, "nothing will ever happen"
            assert self._sleepers[0][0] <= ends_s, f"did not happen within {within_s} s"
            await self.advance(self._sleepers[0][0] - self._s)
