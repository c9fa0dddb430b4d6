"""Waiting for a free slot: an account may have only so many tasks under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.miaohua.errors import NO_SLOT, Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.providers.limits import Clock

STEP_S = 5.0
STEPS = 24
"""Two minutes in all: then the caller decides."""


class Slots:
    """The queue of submits that found no slot; one of them at a time asks again."""

    def __init__(self, clock: Clock) -> None:
        """Wait by this clock."""
        self._clock = clock
        self._turn = asyncio.Lock()

    async def asked(self, submit: Callable[[], Awaitable[Any]], report: Report) -> Any:
        """What ``submit`` answers once there is a slot; a refusal for want of one is certain, nothing was accepted.

        Raises what ``submit`` raises; ``Rejected`` with that code when none came free in time.
        """
        try:
            return await submit()
        except Rejected as err:
            if err.fault.code != NO_SLOT:
                raise
        report(None, "waiting for a free slot at the service")
        async with self._turn:
            for _ in range(STEPS - 1):
                await self._clock.sleep(STEP_S)
                try:
                    return await submit()
                except Rejected as err:
                    if err.fault.code != NO_SLOT:
                        raise
            await self._clock.sleep(STEP_S)
            return await submit()
