"""A clock for whatever only reads the time or pauses: a sleep returns at once, and its time has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FakeTime:
    """A moment; both times of a clock are read from it."""

    def __init__(self, start: datetime, monotonic_s: float) -> None:
        """Begin at this time of day and this monotonic time, in seconds."""
        self._start = start
        self._start_s = monotonic_s
        self._now_s = monotonic_s

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(seconds=self._now_s - self._start_s)

    def monotonic(self) -> float:
        """The monotonic time, in seconds."""
        return self._now_s


class AutoAdvanceClock(FakeTime):
    """Stands still except for what is slept, added or set."""

    def __init__(self, start: datetime = START) -> None:
        """Begin at ``start``, with a monotonic time of 0."""
        super().__init__(start, 0.0)
        self.sleeps_s: list[float] = []
        """What was slept so far, in seconds."""

    @property
    def time(self) -> datetime:
        """The time of day; it may be set."""
        return self.now()

    @time.setter
    def time(self, moment: datetime) -> None:
        self._now_s = self._start_s + (moment - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Return at once; the time has passed."""
        self.sleeps_s.append(seconds)
        self._now_s += seconds

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._now_s += seconds
