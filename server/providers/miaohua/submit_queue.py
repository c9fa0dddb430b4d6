"""What a submit may have to wait for at Miaohua: the check of its images, and a free slot for its task.

Both are said by refusals, after which nothing was accepted and the same submit may be sent again:

    async with queue.join(report) as place:
        while True:
            try:
                return await session.send(submit)
            except MiaohuaRejection as err:
                await place.wait_after(err)     # raises it when there is nothing more to wait for
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from atelier_mcp.server.providers.miaohua.errors import (
    IMAGE_CHECK_INTERVAL_S,
    IMAGE_IN_CHECK,
    MAX_IMAGE_CHECKS,
    NO_SLOT_CODES,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection

SLOT_INTERVAL_S = 5.0
MAX_SLOT_WAITS = 24
"""Two minutes in all: then the caller decides."""


class MiaohuaSubmitQueue:
    """The submits of one account. An account may have only so many tasks under way (contract: errors.123).

    Of those that found no slot, one at a time asks again; the others stand behind it.
    """

    def __init__(self, clock: Clock) -> None:
        """Wait by this clock."""
        self._clock = clock
        self._head_lock = asyncio.Lock()

    @asynccontextmanager
    async def join(self, report: ProgressCallback) -> AsyncGenerator[SubmitPlace]:
        """The place of one submit, given up when the block ends; ``report`` is told that it waits."""
        # The lock is taken inside, at the first wait, and given back here, when the submit is over.
        async with AsyncExitStack() as held:
            yield SubmitPlace(self._clock, report, self._head_lock, held)


class SubmitPlace:
    """Where one submit stands."""

    def __init__(self, clock: Clock, report: ProgressCallback, head_lock: asyncio.Lock, held: AsyncExitStack) -> None:
        """``held`` keeps ``head_lock`` from the first wait for a slot on."""
        self._clock = clock
        self._report = report
        self._head_lock = head_lock
        self._held = held
        self._image_checks = 0
        self._slot_waits = 0

    async def wait_after(self, rejection: MiaohuaRejection) -> None:
        """Return when to send again; raises ``rejection`` where waiting does not help, or no longer."""
        code = rejection.fault.code
        if code == IMAGE_IN_CHECK and self._image_checks < MAX_IMAGE_CHECKS:
            self._image_checks += 1
            await self._clock.sleep(IMAGE_CHECK_INTERVAL_S)
        elif code in NO_SLOT_CODES and self._slot_waits < MAX_SLOT_WAITS:
            await self._wait_for_slot()
        else:
            raise rejection

    async def _wait_for_slot(self) -> None:
        if not self._slot_waits:
            self._report(None, "waiting for a free slot at the service")
            # to the end of the submit, not of the wait: else those behind would take the slot that comes free
            await self._held.enter_async_context(self._head_lock)
        self._slot_waits += 1
        self._image_checks = 0  # sent anew, the images may be checked anew
        await self._clock.sleep(SLOT_INTERVAL_S)
