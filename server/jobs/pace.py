"""How soon an account may be asked again."""

from __future__ import annotations

from collections import deque

_SLACK = 1.05
"""On the way requests bunch up: keep this much more distance than the upstream asks for."""


class Pace:
    """At most ``per_s`` requests in any second, spread out unless there is a good reason for haste.

    Spread out, a job that is done waits half a step on average; spent at once, a second's requests would leave the
    jobs done after them waiting for the rest of that second.
    """

    def __init__(self, per_s: float) -> None:
        """Allow ``per_s`` requests a second; below one, one every ``1 / per_s`` seconds."""
        self._window_s = _SLACK * max(1.0, 1.0 / per_s)
        self._step_s = _SLACK / per_s
        self._taken: deque[float] = deque(maxlen=max(1, int(per_s)))
        self._closed_until = 0.0

    def wait_s(self, now_s: float, *, haste: bool) -> float:
        """Seconds until a request may leave; 0 when it may now. In ``haste`` only the limit itself counts."""
        ready = self._closed_until
        if self._taken and not haste:
            ready = max(ready, self._taken[-1] + self._step_s)
        if len(self._taken) == self._taken.maxlen:
            ready = max(ready, self._taken[0] + self._window_s)
        return max(0.0, ready - now_s)

    @property
    def window_s(self) -> float:
        """The time over which requests are counted."""
        return self._window_s

    def left(self, now_s: float) -> int:
        """Requests that may leave now in haste."""
        recent = sum(moment + self._window_s > now_s for moment in self._taken)
        return (self._taken.maxlen or 1) - recent

    def take(self, now_s: float) -> None:
        """Count a request that leaves now."""
        self._taken.append(now_s)

    def close(self, until_s: float) -> None:
        """Let nothing leave before ``until_s``."""
        self._closed_until = max(self._closed_until, until_s)
