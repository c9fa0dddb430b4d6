"""Who in this process wants to hear of which job."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from atelier_mcp.server.jobs.model import Job, JobId


class Following:
    """What has been heard of some jobs and was not yet taken."""

    def __init__(self) -> None:
        self._heard: dict[JobId, Job] = {}
        self._any = asyncio.Event()

    def hear(self, job: Job) -> None:
        """Keep the newest of each job."""
        self._heard[job.id] = job
        self._any.set()

    async def heard(self) -> None:
        """Return when there is something to take."""
        await self._any.wait()

    def take(self) -> list[Job]:
        """What was heard since the last time."""
        taken = list(self._heard.values())
        self._heard.clear()
        self._any.clear()
        return taken


class News:
    """Tells of each change of a job: to those who follow that job, and to those who listen to all."""

    def __init__(self) -> None:
        self._followers: defaultdict[JobId, set[Following]] = defaultdict(set)
        self._listeners: list[Callable[[Job], None]] = []

    def publish(self, job: Job) -> None:
        """Tell everyone concerned how a job now stands."""
        for listener in self._listeners:
            listener(job)
        for following in self._followers.get(job.id, ()):
            following.hear(job)

    @contextmanager
    def follow(self, ids: Iterable[JobId]) -> Generator[Following]:
        """Hear of these jobs from now on."""
        following = Following()
        followed = set(ids)
        for job_id in followed:
            self._followers[job_id].add(following)
        try:
            yield following
        finally:
            for job_id in followed:
                self._followers[job_id].discard(following)
                if not self._followers[job_id]:
                    del self._followers[job_id]

    @contextmanager
    def listen(self, listener: Callable[[Job], None]) -> Generator[None]:
        """Call ``listener`` with every job that changes."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def followed(self) -> frozenset[JobId]:
        """The jobs somebody waits for."""
        return frozenset(self._followers)

    def is_followed(self, job_id: JobId) -> bool:
        """True when somebody waits for this job."""
        return job_id in self._followers
