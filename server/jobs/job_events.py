"""Events of jobs, for those in this process who wait for them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from atelier_mcp.server.jobs.model import Job, JobId, Submitting


class Subscription:
    """Changes of some jobs that were not yet taken."""

    def __init__(self) -> None:
        self._pending: dict[JobId, Job] = {}
        self._ready = asyncio.Event()

    def put(self, job: Job) -> None:
        """Keep the newest of each job."""
        self._pending[job.id] = job
        self._ready.set()

    def put_step(self, job: Job) -> None:
        """Keep a step of a job, unless a change that was written down is still to be taken."""
        if job.id not in self._pending or type(self._pending[job.id].state) is type(job.state):
            self.put(job)

    async def wait(self) -> None:
        """Return when there is something to take."""
        await self._ready.wait()

    def wake(self) -> None:
        """Return from ``wait`` without anything to take."""
        self._ready.set()

    def drain(self) -> list[Job]:
        """What was put since the last time."""
        jobs = list(self._pending.values())
        self._pending.clear()
        self._ready.clear()
        return jobs


class JobEvents:
    """Tells of each change of a job: to those who subscribed to that job, and to those who listen to all."""

    def __init__(self) -> None:
        self._subscriptions: defaultdict[JobId, set[Subscription]] = defaultdict(set)
        self._listeners: list[Callable[[Job], None]] = []

    def publish(self, job: Job) -> None:
        """Tell everyone concerned how a job now stands."""
        # Listeners first: the poll queue must know of a change before a waiter asks about it.
        for listener in self._listeners:
            listener(job)
        for subscription in self._subscriptions.get(job.id, ()):
            subscription.put(job)

    def publish_step(self, job: Job, step: Submitting) -> None:
        """Tell those who wait for a job of a step that is not written down."""
        for subscription in self._subscriptions.get(job.id, ()):
            subscription.put_step(replace(job, state=step))

    def wake_all(self) -> None:
        """Wake whoever waits, though nothing has changed."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.wake()

    @contextmanager
    def subscribe(self, ids: Iterable[JobId]) -> Generator[Subscription]:
        """Hear of these jobs from now on."""
        subscription = Subscription()
        job_ids = set(ids)
        for job_id in job_ids:
            self._subscriptions[job_id].add(subscription)
        try:
            yield subscription
        finally:
            for job_id in job_ids:
                self._subscriptions[job_id].discard(subscription)
                # An empty set would count as somebody waiting, in ``list_subscribed``.
                if not self._subscriptions[job_id]:
                    del self._subscriptions[job_id]

    @contextmanager
    def listen(self, listener: Callable[[Job], None]) -> Generator[None]:
        """Call ``listener`` with every job that changes."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def list_subscribed(self) -> frozenset[JobId]:
        """The jobs somebody waits for."""
        return frozenset(self._subscriptions)

    def is_subscribed(self, job_id: JobId) -> bool:
        """True when somebody waits for this job."""
        return job_id in self._subscriptions
