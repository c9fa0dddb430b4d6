"""Waiting for a free slot: an account may have only so many tasks under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.miaohua.errors import NO_SLOT, MiaohuaRejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ProgressCallback

RETRY_INTERVAL_S = 5.0
MAX_RETRIES = 24
"""Two minutes in all: then the caller decides."""


class MiaohuaSlotQueue:
    """The queue of submits that found no slot; one of them at a time asks again."""

    def __init__(self, clock: Clock) -> None:
        """Wait by this clock."""
        self._clock = clock
        self._lock = asyncio.Lock()

    async def submit_when_free(self, submit: Callable[[], Awaitable[Any]], report: ProgressCallback) -> Any:
        """What ``submit`` answers once there is a slot; a refusal for want of one is certain, nothing was accepted.

        Raises what ``submit`` raises; ``Rejected`` with that code when none came free in time.
        """
        try:
            return await submit()
        except MiaohuaRejection as err:
            if err.fault.code != NO_SLOT:
                raise
        report(None, "waiting for a free slot at the service")
        async with self._lock:
            for _ in range(MAX_RETRIES - 1):
                await self._clock.sleep(RETRY_INTERVAL_S)
                try:
                    return await submit()
                except MiaohuaRejection as err:
                    if err.fault.code != NO_SLOT:
                        raise
            await self._clock.sleep(RETRY_INTERVAL_S)
            return await submit()
