"""One job at a time: the others wait on their open connections, and whoever asks is told where each stands.

(contract: conventions.synchronous, internal.progress, internal.failed)
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

MAX_FINISHED: Final = 16


@dataclass(slots=True)
class WebuiJob:
    """A job at work."""

    task_id: str
    """Empty for work that has none: enlarging, describing."""
    seconds: float
    steps: int
    began_at: float
    is_over: bool = False
    batch_ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_interrupted: bool = False
    is_skipped: bool = False

    def compute_progress(self, now: float) -> float:
        """The share that is done, never all of it."""
        return min(0.99, max(0.0, (now - self.began_at) / self.seconds)) if self.seconds > 0 else 0.0

    async def pass_time(self, seconds: float) -> None:
        """Work on one batch for as long, or until somebody ends it."""
        if seconds > 0 and not self.batch_ended.is_set():
            try:
                await asyncio.wait_for(self.batch_ended.wait(), seconds)
            except TimeoutError:
                return
        if self.batch_ended.is_set() and not self.is_interrupted:
            self.batch_ended.clear()


class WebuiQueue:
    """The jobs of one WebUI; they live in memory and end with it."""

    def __init__(self) -> None:
        """Nothing is at work."""
        self._lock = asyncio.Lock()
        self.pending: list[str] = []
        """The ids of the tasks that wait, in order."""
        self.current: WebuiJob | None = None
        """The task at work; one that failed stays it until the next begins."""
        self.finished: deque[str] = deque(maxlen=MAX_FINISHED)

    @property
    def job(self) -> WebuiJob | None:
        """What is really at work."""
        return None if self.current is None or self.current.is_over else self.current

    @asynccontextmanager
    async def run(
        self, task_id: str, *, seconds: float, steps: int, clock: Callable[[], float]
    ) -> AsyncGenerator[WebuiJob]:
        """Wait for the turn and be at work inside; an exception leaves the task unfinished."""
        if task_id:
            self.pending.append(task_id)
        try:
            await self._lock.acquire()
        finally:
            if task_id:
                self.pending.remove(task_id)
        job = self.current = WebuiJob(task_id, seconds=seconds, steps=steps, began_at=clock())
        try:
            yield job
            self.finished.append(task_id)
            self.current = None
        finally:
            job.is_over = True
            self._lock.release()

    def interrupt(self) -> None:
        """Stop whatever is at work."""
        if (job := self.job) is not None:
            job.is_interrupted = True
            job.batch_ended.set()

    def skip(self) -> None:
        """End the batch at work."""
        if (job := self.job) is not None:
            job.is_skipped = True
            job.batch_ended.set()
