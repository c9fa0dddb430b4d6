"""The time of day that a ledger goes by: where several machines share it, that of its database.

Days of a budget, deadlines and notes of who waits are then the same everywhere, whatever the clock of a machine says.
Waits go by the machine's own monotonic time, which never leaps.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.ledger_check import is_postgres_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from atelier_mcp.server.clock import Clock

log: logging.Logger = logging.getLogger(__name__)

MEASURE_INTERVAL_S: Final = 60.0
RETRY_INTERVAL_S: Final = 5.0
MAX_OFFSET_S: Final = 1.0
"""From here on a machine's clock is wrong enough to be told: links and tokens go by it."""


class DatabaseClock:
    """A machine's own clock, put right by what the database says is the time."""

    def __init__(self, url: str, clock: Clock) -> None:
        """Go by ``clock`` alone until ``measure`` has asked the PostgreSQL at ``url``."""
        self._url = url
        self._clock = clock
        self._offset = timedelta(0)
        self._is_warned = False

    def now(self) -> datetime:
        """The database's time of day, in UTC."""
        return self._clock.now() + self._offset

    def monotonic(self) -> float:
        """The machine's own seconds, which never leap."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Return when ``seconds`` have passed."""
        await self._clock.sleep(seconds)

    async def keep_right(self) -> None:
        """Measure again and again, sooner while the database does not answer."""
        is_measured = True
        while True:
            await self._clock.sleep(MEASURE_INTERVAL_S if is_measured else RETRY_INTERVAL_S)
            is_measured = await self.measure()

    async def measure(self) -> bool:
        """Ask the database for the time; False where it does not answer, and what was known holds on."""
        from atelier_mcp.server.jobs.postgres_check import measure_clock_offset_s

        try:
            offset_s = await asyncio.to_thread(measure_clock_offset_s, self._url, self._clock)
        except AtelierError:  # the ledger's own calls say so
            return False
        self._offset = timedelta(seconds=offset_s)
        is_wrong = abs(offset_s) >= MAX_OFFSET_S
        if is_wrong and not self._is_warned:
            log.warning("this machine's clock is %s: let both be set by NTP", describe_offset(offset_s))
        self._is_warned = is_wrong
        return True


@asynccontextmanager
async def open_ledger_clock(database_url: str, clock: Clock) -> AsyncGenerator[Clock]:
    """The clock for whatever is written into the ledger of this URL; ``clock`` itself where it is on this machine."""
    if not is_postgres_url(database_url):
        yield clock
        return
    database_clock = DatabaseClock(database_url, clock)
    await database_clock.measure()
    tasks = asyncio.TaskGroup()
    await tasks.__aenter__()
    measuring = tasks.create_task(database_clock.keep_right(), name="ledger clock")
    try:
        yield database_clock
    finally:
        measuring.cancel()
        await tasks.__aexit__(None, None, None)  # an error of the body is passed on as it is, not in a group


def describe_offset(offset_s: float) -> str:
    """In words how far a machine's clock is from the database's, which is ``offset_s`` ahead of it."""
    return f"{abs(offset_s):.1f} s {'behind' if offset_s > 0 else 'ahead of'} that of the ledger's database"
