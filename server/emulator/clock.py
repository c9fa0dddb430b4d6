"""The emulator's time: the clock it was given, moved on by hand where a test wants that."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    UnixClock: TypeAlias = Callable[[], float]


class EmulatorClock:
    """Unix seconds of a clock, plus what was added to it."""

    def __init__(self, source: UnixClock) -> None:
        """Follow ``source``, for example ``time.time``."""
        self._source = source
        self._offset_s = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return self._source() + self._offset_s

    def read_wall_clock(self) -> float:
        """Unix seconds without what was added: the time by which callers sign their tokens."""
        return self._source()

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds``; answers the new time."""
        self._offset_s += seconds
        return self.now()
