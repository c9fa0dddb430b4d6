"""How far a call is, told to a client that gave a progress token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.protocol_revisions import ANNOTATIONS_SINCE

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.jobs.model import Job

REPORT_INTERVAL_S = 1.0
TYPICAL_WAIT_S = 10.0
"""Sets the pace of a progress bar whose service says nothing of progress."""
SAVING_FRACTION = 0.97
"""How far a job counts as being whose pictures are being stored."""
MAX_ESTIMATE = 0.95


class ProgressReporter:
    """Tells the caller how far a call is; always forward, at most once a second.

    Where the service names no share, the bar creeps towards the end and never reaches it.
    """

    def __init__(self, context: Context[Any, Any], clock: Clock) -> None:
        """Report to the request of ``context``; without a progress token nothing is sent."""
        self._context = context
        self._clock = clock
        self._started_s = clock.monotonic()
        self._fraction = 0.0
        self._message = ""
        self._last_value = 0.0

    def update(self, fraction: float | None, message: str) -> None:
        """Hold the latest news, a share in [0, 1] if known and a word, for the next tick."""
        if fraction is not None:
            self._fraction = max(self._fraction, min(fraction, 1.0))
        self._message = message or self._message

    async def run(self) -> None:
        """Report once a second until cancelled."""
        while True:
            await self._clock.sleep(REPORT_INTERVAL_S)
            elapsed_s = self._clock.monotonic() - self._started_s
            # Nearly half after 7 s, 0.9 after 30 s: it slows down instead of reaching an end that nobody knows.
            estimate = MAX_ESTIMATE * (1 - math.exp(-elapsed_s / TYPICAL_WAIT_S))
            value = round(max(self._fraction, estimate), 3)
            if value > self._last_value:  # the protocol wants progress to increase with every notification
                self._last_value = value
                await self._context.report_progress(value, 1.0, self._format_message(elapsed_s))

    def _format_message(self, elapsed_s: float) -> str | None:
        if (self._context.protocol_version or ANNOTATIONS_SINCE) < ANNOTATIONS_SINCE:
            return None
        return f"{self._message or 'working'}, {elapsed_s:.0f} s"


def describe_progress(job: Job) -> tuple[float | None, str]:
    """What a progress bar says of a job: the share done in [0, 1] if known, and a word."""
    from atelier_mcp.server.jobs.model import Running, Saving, Submitting, get_state_name

    match job.state:
        case Running(progress=progress, note=note):
            return progress, note or "running"
        case Submitting(progress=progress, note=note):
            return progress, note or get_state_name(job.state)
        case Saving():
            return SAVING_FRACTION, "saving the pictures"
        case _:
            return None, get_state_name(job.state)
