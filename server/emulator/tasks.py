"""Tasks over time: accepted, waiting, at work, over.

A task is rendered in the background from the moment it is accepted, and shown as done when its time has come as well.
Its state is never stored: it follows from the clock, from whether the rendering has begun, and from the outcome.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from atelier_mcp.server.emulator.task_store import Outcome, Picture, Task, Verdict
from atelier_mcp.server.engine.orders import Generated

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from atelier_mcp.server.emulator.clock import EmulatorClock
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.task_store import TaskStore

    Renderer = Callable[[Task, dict[str, Any]], Awaitable[Any]]

logger = logging.getLogger(__name__)

WAIT_SHARE: Final = 0.25
"""The part of a task's time it spends waiting, where the upstream says nothing else."""
FOREIGN_LOOK_S: Final = 0.1
ENGINE_FAULT: Final = "EngineGenError"
CANCELLED: Final = "cancelled"


class Engine(Protocol):
    """Runs functions of the engine by name: ``"atelier_mcp.server.engine.studio:erase"``."""

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The function's result; ValueError when it refuses what it was given."""
        ...


class Phase(Enum):
    """Where a task stands, in MHAPI's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Order:
    """A call of the engine: JSON arguments, with pictures as bytes anywhere in them."""

    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """A task as it stands now; ``progress`` is a share of 1."""

    task: Task
    phase: Phase
    progress: float
    outcome: Outcome | None = None


class Tasks:
    """All tasks of the services of one emulator; each service has its own space of ids."""

    def __init__(
        self, store: TaskStore, engine: Engine, *, clock: EmulatorClock, dice: random.Random, settings: EmulatorSettings
    ) -> None:
        """Keep tasks in ``store`` and have ``engine`` render them; ids come from ``dice``."""
        self.settings = settings
        self._store, self._engine, self._clock, self._dice = store, engine, clock, dice
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        self._rendering: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._begun: set[tuple[str, str]] = set()
        self._renderers: dict[str, Renderer] = {}
        self._slots = asyncio.Semaphore(settings.render_slots)
        self._group: asyncio.TaskGroup | None = None

    def render_with(self, service: str, renderer: Renderer) -> None:
        """Have a service's tasks rendered by ``renderer(task, arguments)`` instead of by one call of the engine."""
        self._renderers[service] = renderer

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Render in the background as long as the context lasts; what is at work at its end is dropped."""
        async with asyncio.TaskGroup() as self._group:
            forgetting = self._group.create_task(self._forget(), name="forget old tasks")
            try:
                yield
            finally:
                forgetting.cancel()
                for rendering in self._rendering.values():
                    rendering.cancel()

    async def accept(
        self,
        service: str,
        account: str,
        order: Order,
        *,
        facts: Mapping[str, Any] | None = None,
        verdict: Verdict | None = None,
        wait_share: float = WAIT_SHARE,
        lasting: bool = False,
        seconds: float | None = None,
        task_id: str | None = None,
    ) -> Task:
        """Take on a task and start its rendering; it is on disk when this returns.

        ``seconds`` is how long it takes at least, where that is not the setting; ``task_id`` is its id where the
        service has given it one already.
        """
        now, seconds = self._clock.now(), self.settings.task_seconds if seconds is None else seconds
        task = Task(
            service=service,
            task_id=task_id or f"{self._dice.getrandbits(128):032x}",
            account=account,
            function=order.function,
            arguments=order.arguments,
            accepted_at=now,
            starts_at=now + wait_share * seconds,
            ends_at=now + seconds,
            facts=facts or {},
            verdict=verdict or Verdict(),
            lasting=lasting,
        )
        task = await asyncio.to_thread(self._store.add, task)
        if not task.verdict.failed:
            self._start(task)
        return task

    async def look(self, service: str, task_id: str, account: str) -> View | None:
        """The task as it stands; None for one that is unknown or another account's. Takes up abandoned tasks."""
        task = await asyncio.to_thread(self._store.task, service, task_id)
        if task is None or task.account != account:
            return None
        return self._view(task, await self._outcome(task))

    async def finished(self, task: Task) -> Outcome:
        """The outcome, as soon as there is one, whatever the clock says."""
        while (outcome := await self._outcome(task)) is None:
            if (rendering := self._rendering.get(_key(task))) is not None:
                await asyncio.wait([rendering])
            if _key(task) not in self._outcomes:  # another instance is at work, and only its file tells the end
                await asyncio.sleep(FOREIGN_LOOK_S)
        return outcome

    async def finish(self, task: Task) -> View:
        """End the task's time now and wait for its rendering."""
        task = await self._retime(task)
        return self._view(task, await self.finished(task))

    async def fail(self, task: Task, reason: str) -> View:
        """End the task now as failed, whatever has been rendered."""
        task = await self._retime(replace(task, verdict=Verdict(failed=reason)))
        if (rendering := self._rendering.get(_key(task))) is not None:
            rendering.cancel()
        return self._view(task, await self._outcome(task))

    async def all_of(self, service: str, account: str) -> list[View]:
        """The account's tasks at a service, oldest first."""
        tasks = await asyncio.to_thread(self._store.tasks, service)
        views = [await self.look(service, task.task_id, account) for task in tasks]
        return [view for view in views if view is not None]

    async def named(self, task_id: str) -> list[Task]:
        """The tasks of that id, of any service and account."""
        services = await asyncio.to_thread(lambda: list(self._store.services_with(task_id)))
        found = [await asyncio.to_thread(self._store.task, service, task_id) for service in services]
        return [task for task in found if task is not None]

    def _view(self, task: Task, outcome: Outcome | None) -> View:
        now = self._clock.now()
        seconds = task.ends_at - task.starts_at
        share = min(1.0, max(0.0, (now - task.starts_at) / seconds)) if seconds > 0 else 0.0
        if now < task.starts_at or (
            outcome is None and _key(task) in self._rendering and _key(task) not in self._begun
        ):
            return View(task, Phase.PENDING, 0.0)
        if outcome is None or now < task.ends_at:
            return View(task, Phase.RUNNING, min(share, 0.99))
        if outcome.failed:
            return View(task, Phase.FAILED, share, outcome)
        return View(task, Phase.SUCCESS, 1.0, outcome)

    async def _outcome(self, task: Task) -> Outcome | None:
        key = _key(task)
        if task.verdict.failed:
            return Outcome(failed=task.verdict.failed)
        if key in self._outcomes or key in self._rendering:
            return self._outcomes.get(key)
        outcome = await asyncio.to_thread(self._store.outcome, task)
        if outcome is None:
            self._start(task)
        else:
            self._outcomes[key] = outcome
        return outcome

    async def _retime(self, task: Task) -> Task:
        now = self._clock.now()
        task = replace(task, starts_at=min(task.starts_at, now), ends_at=min(task.ends_at, now))
        await asyncio.to_thread(self._store.put, task)
        return task

    def _start(self, task: Task) -> None:
        key = _key(task)
        if key in self._rendering or self._group is None:
            return
        rendering = self._group.create_task(self._render(task), name=f"render {task.service} {task.task_id}")
        self._rendering[key] = rendering
        rendering.add_done_callback(lambda _: self._rendering.pop(key, None))

    async def _forget(self) -> None:
        try:
            await asyncio.to_thread(self._store.forget, self._clock.now() - self.settings.keep_seconds)
        except OSError:  # old files cost room, no more
            logger.warning("old tasks could not be deleted", exc_info=True)

    async def _render(self, task: Task) -> None:
        try:
            await self._render_once(task)
        except OSError:  # the folder is gone or full: the task stays as it is, and who looks at it starts it again
            logger.exception("a task could not be kept", extra={"service": task.service, "task_id": task.task_id})

    async def _render_once(self, task: Task) -> None:
        async with self._slots:
            claim = await asyncio.to_thread(self._store.claim, task)
            if claim is None:
                return
            try:
                self._begun.add(_key(task))
                outcome = await self._made(task)
                self._outcomes[_key(task)] = await asyncio.to_thread(self._store.settle, task, outcome)
            finally:
                self._begun.discard(_key(task))
                claim.release()

    async def _made(self, task: Task) -> Outcome:
        arguments = await asyncio.to_thread(self._store.arguments, task)
        try:
            made = await self._renderers.get(task.service, self._by_engine)(task, arguments)
        except ValueError as err:
            return Outcome(failed=str(err))
        except Exception:  # whatever breaks a rendering is that task's failure, not the emulator's end
            logger.exception("a rendering failed", extra={"service": task.service, "task_id": task.task_id})
            return Outcome(failed=ENGINE_FAULT)
        return await asyncio.to_thread(self._filed, task, made)

    async def _by_engine(self, task: Task, arguments: dict[str, Any]) -> Any:
        return await self._engine.run(task.function, **arguments)

    def _filed(self, task: Task, made: Any) -> Outcome:
        """Write what the engine made beside the task."""
        match made:
            case Generated(pictures=pictures, small=small, notes=notes, unmarked=unmarked):
                if unmarked:  # equal samples are kept once
                    for raw, original in dict(zip((raw for raw, _ in pictures), unmarked, strict=True)).items():
                        self._store.keep_unmarked(task, raw, original)
                for index, ((raw, _), preview) in enumerate(zip(pictures, small, strict=True)):
                    self._store.write(task, raw_name(index, raw), raw)
                    self._store.write(task, f"small-{index}.jpg", preview)
                named = (Picture(raw_name(i, raw), f"small-{i}.jpg", seed) for i, (raw, seed) in enumerate(pictures))
                return Outcome(pictures=tuple(named), notes=notes)
            case bytes():
                self._store.write(task, "result.bin", made)
                return Outcome(file="result.bin")
            case _:
                return Outcome(document=made)


def raw_name(index: int, picture: bytes) -> str:
    """The file name of a result, by its content."""
    return f"raw-{index}.png" if picture.startswith(b"\x89PNG") else f"raw-{index}.jpg"


def _key(task: Task) -> tuple[str, str]:
    return (task.service, task.task_id)
