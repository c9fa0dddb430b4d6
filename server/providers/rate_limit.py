"""How fast an account may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class ProviderClock(Protocol):
    """The time a provider lives by."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    async def sleep(self, delay_s: float, /) -> None:
        """Let ``delay_s`` seconds pass."""
        ...


class TokenBucket:
    """Lets ``per_s`` requests a second through on average and ``burst`` at once; who comes first goes first."""

    def __init__(self, *, per_s: float, clock: ProviderClock, burst: int | None = None) -> None:
        """Start full. ``burst`` is one second's worth unless given."""
        self._per_s = per_s
        self._burst = float(burst if burst is not None else max(1, round(per_s)))
        self._clock = clock
        self._tokens = self._burst
        self._filled_at_s = clock.monotonic()

    async def acquire(self) -> None:
        """Return when one more request may leave."""
        now_s = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_at_s) * self._per_s)
        self._filled_at_s = now_s
        self._tokens -= 1  # below zero: a place in the queue
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / self._per_s)
