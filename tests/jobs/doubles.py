"""The network and the picture store, as scripts in memory, and a whole jobs room built on them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.probe import Header
from atelier_mcp.server.jobs.ledger import Ledger, open_ledger
from atelier_mcp.server.jobs.ownership import FileOwnership
from atelier_mcp.server.jobs.poller import Poller
from atelier_mcp.server.jobs.service import JobService
from atelier_mcp.server.providers.base import (
    AccountId,
    Done,
    ImageRule,
    ModelPage,
    Output,
    Pending,
    Plan,
    Snapshot,
    UpstreamTask,
)
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from datetime import datetime

    from jobs.hand_clock import HandClock

    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.requests.base import Request


def done(*names: str) -> Done:
    """An upstream's last word: one picture for each name."""
    return Done(tuple(Output(url=f"https://pictures.example/{name}", seed=n) for n, name in enumerate(names)))


class ScriptedProvider:
    """An upstream whose tasks stand as the test says; it remembers what it was asked."""

    def __init__(self, clock: Clock, *, name: str = "scripted", batch: int = 50, polls_per_s: float = 6.0) -> None:
        self.name = name
        self.account = AccountId(f"{name}:0001")
        self.capabilities = frozenset({"generate_image"})
        self.model_kinds: tuple[str, ...] = ()
        self.polls_per_s = polls_per_s
        self.disclaimer = ""
        self.local = False
        self.batch = batch
        self.submits: list[Request] = []
        self.looks: list[tuple[float, tuple[str, ...]]] = []
        """When each look came, and the tasks in it."""
        self.cancels: list[str] = []
        self.stands: dict[str, Snapshot] = {}
        """What a look says of each task; a task that is missing is ``Pending``."""
        self.done_after_s: float | None = None
        """When set, tasks are done this long after they were submitted."""
        self.submit_script: deque[Exception | UpstreamTask | Done] = deque()
        """What submits raise or answer before the usual new task."""
        self.look_script: deque[Exception | None] = deque()
        """What looks raise; ``None`` is a look that works."""
        self.answers = asyncio.Event()
        """While clear, submits get no answer."""
        self.answers.set()
        self.stops = False
        self._clock = clock
        self._submitted_s: dict[str, float] = {}

    def batch_size(self, kind: str) -> int:
        return self.batch

    async def plan(self, request: Request, pictures: Mapping[str, Header]) -> Plan:
        return Plan(request, dict.fromkeys(pictures, ImageRule()), ("scripted",))

    async def submit(self, request: Request, pictures: Mapping[str, str], report: Report) -> UpstreamTask | Done:
        self.submits.append(request)
        report(0.5, "sending")
        await self.answers.wait()
        answer = self.submit_script.popleft() if self.submit_script else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        task = UpstreamTask(f"task-{len(self.submits)}", "pictures")
        self._submitted_s[task.id] = self._clock.monotonic()
        return task

    async def look(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, Snapshot]:
        assert len(tasks) <= self.batch
        assert len({task.kind for task in tasks}) == 1
        self.looks.append((self._clock.monotonic(), tuple(task.id for task in tasks)))
        problem = self.look_script.popleft() if self.look_script else None
        if problem is not None:
            raise problem
        return {task.id: self._stand(task.id) for task in tasks}

    def _stand(self, task_id: str) -> Snapshot:
        if self.done_after_s is None or task_id in self.stands:
            return self.stands.get(task_id, Pending())
        age_s = self._clock.monotonic() - self._submitted_s.get(task_id, 0.0)
        return done(f"{task_id}.png") if age_s >= self.done_after_s else Pending()

    async def cancel(self, task: UpstreamTask) -> bool:
        self.cancels.append(task.id)
        return self.stops

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        return ModelPage((), more=False)

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class StoredHere:
    handle: str
    path: Path = Path("/nowhere")


@dataclass(frozen=True, slots=True)
class OpenedHere:
    reference: str
    header: Header = field(default_factory=lambda: Header("PNG", "image/png", 960, 960, 1000))


@dataclass(frozen=True, slots=True)
class AdmittedHere:
    handle: str
    notes: tuple[str, ...] = ()


class MemoryGallery:
    """Pictures that are only names."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.made: list[Mapping[str, Any]] = []
        self.allowed: list[frozenset[str]] = []
        self.keep_script: deque[Exception | None] = deque()
        """What storing raises; ``None`` is a picture that is stored."""
        self.opens = True
        """While false, nothing is ever stored: downloads hang."""

    async def open(self, references: Mapping[str, str]) -> Mapping[str, OpenedHere]:
        return {place: OpenedHere(reference) for place, reference in references.items()}

    async def admit(
        self, opened: Mapping[str, Any], rules: Mapping[str, ImageRule], *, now: datetime
    ) -> Mapping[str, AdmittedHere]:
        return {place: AdmittedHere(f"img_{picture.reference}") for place, picture in opened.items()}

    async def deliver(
        self, admitted: Mapping[str, Any], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, str]:
        return {place: f"https://here.example/{picture.handle}" for place, picture in admitted.items()}

    async def keep(
        self, output: Output, *, made: Mapping[str, Any], allow_hosts: frozenset[str], now: datetime
    ) -> StoredHere:
        if not self.opens:
            await asyncio.Event().wait()
        problem = self.keep_script.popleft() if self.keep_script else None
        if problem is not None:
            raise problem
        name = output.url.rsplit("/", 1)[1] if output.url else str(len(output.data or b""))
        self.kept.append(name)
        self.made.append(made)
        self.allowed.append(allow_hosts)
        return StoredHere(f"img_{name}")


@dataclass(slots=True)
class Room:
    """A jobs room: what one ``atelier serve`` holds."""

    jobs: JobService
    ledger: Ledger
    poller: Poller
    provider: ScriptedProvider
    gallery: MemoryGallery
    ownership: FileOwnership


@dataclass(slots=True)
class HandRoom(Room):
    """A jobs room whose time is driven by hand."""

    clock: HandClock


@asynccontextmanager
async def open_hand_room(
    folder: Path,
    provider: ScriptedProvider,
    clock: HandClock,
    *,
    gallery: MemoryGallery | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> AsyncGenerator[HandRoom]:
    """``open_room`` in the time of a test."""
    async with open_room(folder, provider, clock, gallery=gallery, budget=budget, seed=seed) as room:
        clock.ledgers.append(room.ledger)
        yield HandRoom(room.jobs, room.ledger, room.poller, room.provider, room.gallery, room.ownership, clock)


@asynccontextmanager
async def open_room(
    folder: Path,
    provider: ScriptedProvider,
    clock: Clock,
    *,
    gallery: MemoryGallery | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> AsyncGenerator[Room]:
    """A jobs room on a folder; several may be open on the same one, as several processes would be."""
    pictures = gallery or MemoryGallery()
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(folder / "ledger.db", clock=clock))
        ownership = await stack.enter_async_context(FileOwnership(folder / "locks"))
        poller = await stack.enter_async_context(
            Poller(ledger, [provider], pictures, ownership=ownership, clock=clock, random=Random(seed))
        )
        jobs = await stack.enter_async_context(
            JobService(
                ledger,
                Router([provider]),
                pictures,
                poller,
                ownership=ownership,
                clock=clock,
                random=Random(seed + 1),
                budget=budget,
            )
        )
        yield Room(jobs, ledger, poller, provider, pictures, ownership)


def words(prompt: str, **arguments: Any) -> GenerateImage:
    """A request for a picture."""
    return GenerateImage(prompt=prompt, **arguments)
