"""How fast an account may be asked: two limiters, one for calls as they come and one that a schedule can plan with.

The jobs' poller plans with ``RateLimit``, which counts the status requests of an account: it counts one before each
``poll`` of a provider. A provider that needs more than that one request has a ``PollAllowance`` for them, so that both
share one count.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.clock import Clock

_SLACK = 1.05
"""On the way requests bunch up: keep this much more distance than the upstream asks for."""
_MIN_STEP_S = 0.001
"""A shorter wait, left over by rounding, might not move a clock at all."""


class RequestLimiter(Protocol):
    """Whatever says when one more request may leave."""

    async def acquire(self) -> None:
        """Return when it may leave; it counts as sent."""
        ...


class RateLimit:
    """At most ``per_s`` requests in any second, spread out unless there is a good reason for a burst.

    Spread out, a job that is done waits half a step on average; spent at once, a second's requests would leave the
    jobs done after them waiting for the rest of that second.
    """

    def __init__(self, per_s: float) -> None:
        """Allow ``per_s`` requests a second; below one, one every ``1 / per_s`` seconds."""
        self._window_s = _SLACK * max(1.0, 1.0 / per_s)
        self._spacing_s = _SLACK / per_s
        self._sent_at_s: deque[float] = deque(maxlen=max(1, int(per_s)))
        self._blocked_until_s = 0.0
        self._lock = asyncio.Lock()

    def compute_wait_s(self, now_s: float, *, allow_burst: bool) -> float:
        """Seconds until a request may leave; 0 when it may now. In ``allow_burst`` only the limit itself counts."""
        ready_at_s = self._blocked_until_s
        if self._sent_at_s and not allow_burst:
            ready_at_s = max(ready_at_s, self._sent_at_s[-1] + self._spacing_s)
        if len(self._sent_at_s) == self._sent_at_s.maxlen:
            ready_at_s = max(ready_at_s, self._sent_at_s[0] + self._window_s)
        return max(0.0, ready_at_s - now_s)

    @property
    def window_s(self) -> float:
        """The time over which requests are counted."""
        return self._window_s

    def count_remaining(self, now_s: float) -> int:
        """Requests that may leave now in a burst."""
        recent_count = sum(moment + self._window_s > now_s for moment in self._sent_at_s)
        return (self._sent_at_s.maxlen or 1) - recent_count

    def take(self, now_s: float) -> None:
        """Count a request that leaves now."""
        self._sent_at_s.append(now_s)

    def block(self, until_s: float) -> None:
        """Let nothing leave before ``until_s``."""
        self._blocked_until_s = max(self._blocked_until_s, until_s)

    async def acquire(self, clock: Clock) -> None:
        """Return when one more request may leave, spread out and not in a burst, and count it.

        Who comes first goes first. Whoever plans with ``compute_wait_s`` and ``take`` does not stand in that queue and
        may come in between.
        """
        async with self._lock:  # one at a time looks at the clock; asyncio's lock keeps the order of asking
            # again after the wait: a poller that plans by itself may have taken the place meanwhile
            while (wait_s := self.compute_wait_s(clock.monotonic(), allow_burst=False)) > 0:
                await clock.sleep(max(wait_s, _MIN_STEP_S))
            self.take(clock.monotonic())


class PollAllowance:
    """The requests of one ``poll``: the first was counted by the caller, each further one waits for its turn."""

    def __init__(self, rate_limit: RateLimit, clock: Clock) -> None:
        """``rate_limit`` is the account's for status requests."""
        self._rate_limit = rate_limit
        self._clock = clock
        self._is_first = True

    async def acquire(self) -> None:
        """Return when the next request may leave."""
        if self._is_first:
            self._is_first = False
            return
        await self._rate_limit.acquire(self._clock)


class TokenBucket:
    """Lets ``per_s`` requests a second through on average, one second's worth at once; who comes first goes first."""

    def __init__(self, *, per_s: float, clock: Clock) -> None:
        """Start full."""
        self._per_s = per_s
        self._count_sharers: Callable[[], int] = lambda: 1
        self._clock = clock
        self._tokens = _compute_burst(per_s)
        self._filled_at_s = clock.monotonic()

    def share(self, count_sharers: Callable[[], int]) -> None:
        """Leave the same rate to each of so many who send for the same account; they may come and go."""
        self._count_sharers = count_sharers

    async def acquire(self) -> None:
        """Return when one more request may leave."""
        now_s, per_s = self._clock.monotonic(), self._per_s / max(1, self._count_sharers())
        self._tokens = min(_compute_burst(per_s), self._tokens + (now_s - self._filled_at_s) * per_s)
        self._filled_at_s = now_s
        self._tokens -= 1  # below zero: a place in the queue
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / per_s)


def _compute_burst(per_s: float) -> float:
    # At least one, or a rate below one a second would never let anything through.
    return float(max(1, round(per_s)))
