"""The memory that all picture work at once may take, shared out call by call."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class MemoryBudget:
    """So many bytes, of which each call reserves what it may need; in the order in which they ask."""

    def __init__(self, total_bytes: int) -> None:
        """All of it is free."""
        self.total_bytes = total_bytes
        self._free_bytes = total_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def reserve(self, wanted_bytes: int) -> AsyncGenerator[int]:
        """Hold so many bytes, at most all there are, once they are free; the context is how many they are.

        Who asks first gets first: otherwise small calls would keep a large one waiting for ever.
        """
        reserved_bytes = min(wanted_bytes, self.total_bytes)
        await self._take(reserved_bytes)
        try:
            yield reserved_bytes
        finally:
            self._free_bytes += reserved_bytes
            self._wake_next()

    async def _take(self, wanted_bytes: int) -> None:
        if not self._waiting and wanted_bytes <= self._free_bytes:
            self._free_bytes -= wanted_bytes
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # Its turn may have come in the same moment: then the bytes are taken already, and are given on.
            if turn.done() and not turn.cancelled():
                self._free_bytes += wanted_bytes
            self._wake_next()
            raise

    def _wake_next(self) -> None:
        while self._waiting:
            wanted_bytes, turn = self._waiting[0]
            if turn.cancelled():
                self._waiting.popleft()
                continue
            if wanted_bytes > self._free_bytes:
                return
            self._waiting.popleft()
            self._free_bytes -= wanted_bytes
            turn.set_result(None)
