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
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.engine_calls import call_engine
from atelier_mcp.server.emulator.task_store import ResultImage, TaskOutcome, TaskRecord, Verdict
from atelier_mcp.server.engine.tasks import EngineResult

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from atelier_mcp.server.emulator.clock import EmulatorClock
    from atelier_mcp.server.emulator.engine_calls import Engine, EngineTask
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.emulator.task_store import TaskStore

    Renderer = Callable[[TaskRecord, dict[str, Any]], Awaitable[Any]]

logger: logging.Logger = logging.getLogger(__name__)

WAIT_SHARE: Final = 0.25
"""The part of a task's time it spends waiting, where the upstream says nothing else."""
FOREIGN_POLL_S: Final = 0.1
ENGINE_ERROR: Final = "EngineGenError"
CANCELLED: Final = "cancelled"


class Phase(Enum):
    """Where a task stands, in MHAPI's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as it stands now; ``progress`` is a share of 1."""

    task: TaskRecord
    phase: Phase
    progress: float
    outcome: TaskOutcome | None = None


class TaskService:
    """All tasks of the services of one emulator; each service has its own space of ids."""

    def __init__(
        self, store: TaskStore, engine: Engine, *, clock: EmulatorClock, rng: random.Random, settings: EmulatorSettings
    ) -> None:
        """Keep tasks in ``store`` and have ``engine`` render them; ids come from ``rng``."""
        self.settings = settings
        self._store, self._engine, self._clock, self._rng = store, engine, clock, rng
        self._outcomes: dict[tuple[str, str], TaskOutcome] = {}
        self._render_tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._started_keys: set[tuple[str, str]] = set()
        self._renderers: dict[str, Renderer] = {}
        self._slots = asyncio.Semaphore(settings.render_slots)
        self._group: asyncio.TaskGroup | None = None

    def set_renderer(self, service: str, renderer: Renderer) -> None:
        """Have a service's tasks rendered by ``renderer(task, arguments)`` instead of by one call of the engine."""
        self._renderers[service] = renderer

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Render in the background as long as the context lasts; what is at work at its end is dropped."""
        async with asyncio.TaskGroup() as self._group:
            cleanup_task = self._group.create_task(self._delete_old(), name="forget old tasks")
            try:
                yield
            finally:
                cleanup_task.cancel()
                for render_task in self._render_tasks.values():
                    render_task.cancel()

    async def accept(
        self,
        service: str,
        account: str,
        engine_task: EngineTask,
        *,
        facts: Mapping[str, Any] | None = None,
        verdict: Verdict | None = None,
        wait_share: float = WAIT_SHARE,
        lasting: bool = False,
        seconds: float | None = None,
        task_id: str | None = None,
    ) -> TaskRecord:
        """Take on a task and start its rendering; it is on disk when this returns.

        ``seconds`` is how long it takes at least, where that is not the setting; ``task_id`` is its id where the
        service has given it one already.
        """
        now, seconds = self._clock.now(), self.settings.task_seconds if seconds is None else seconds
        task = TaskRecord(
            service=service,
            task_id=task_id or f"{self._rng.getrandbits(128):032x}",
            account=account,
            function=engine_task.function,
            arguments=engine_task.arguments,
            accepted_at=now,
            starts_at=now + wait_share * seconds,
            ends_at=now + seconds,
            facts=facts or {},
            verdict=verdict or Verdict(),
            lasting=lasting,
        )
        # On the disk before the answer leaves: a client that has an id can always ask for it.
        task = await asyncio.to_thread(self._store.add, task)
        if not task.verdict.failed:
            self._start(task)
        return task

    async def find(self, service: str, task_id: str, account: str) -> TaskView | None:
        """The task as it stands; None for one that is unknown or another account's. Takes up abandoned tasks."""
        task = await asyncio.to_thread(self._store.read_task, service, task_id)
        if task is None or task.account != account:
            return None
        return self._build_view(task, await self._find_outcome(task))

    async def wait_for_outcome(self, task: TaskRecord) -> TaskOutcome:
        """The outcome, as soon as there is one, whatever the clock says."""
        while (outcome := await self._find_outcome(task)) is None:
            if (render_task := self._render_tasks.get(_build_key(task))) is not None:
                await asyncio.wait([render_task])
            if _build_key(task) not in self._outcomes:  # another instance is at work, and only its file tells the end
                await asyncio.sleep(FOREIGN_POLL_S)
        return outcome

    async def finish(self, task: TaskRecord) -> TaskView:
        """End the task's time now and wait for its rendering."""
        task = await self._end_now(task)
        return self._build_view(task, await self.wait_for_outcome(task))

    async def fail(self, task: TaskRecord, reason: str) -> TaskView:
        """End the task now as failed, whatever has been rendered."""
        task = await self._end_now(replace(task, verdict=Verdict(failed=reason)))
        if (render_task := self._render_tasks.get(_build_key(task))) is not None:
            render_task.cancel()
        return self._build_view(task, await self._find_outcome(task))

    async def list_views(self, service: str, account: str) -> list[TaskView]:
        """The account's tasks at a service, oldest first."""
        tasks = await asyncio.to_thread(self._store.list_tasks, service)
        views = [await self.find(service, task.task_id, account) for task in tasks]
        return [view for view in views if view is not None]

    async def find_by_id(self, task_id: str) -> list[TaskRecord]:
        """The tasks of that id, of any service and account."""
        services = await asyncio.to_thread(lambda: list(self._store.find_services(task_id)))
        found = [await asyncio.to_thread(self._store.read_task, service, task_id) for service in services]
        return [task for task in found if task is not None]

    def _build_view(self, task: TaskRecord, outcome: TaskOutcome | None) -> TaskView:
        now = self._clock.now()
        seconds = task.ends_at - task.starts_at
        share = min(1.0, max(0.0, (now - task.starts_at) / seconds)) if seconds > 0 else 0.0
        # A task that stands behind others for a slot is not at work, whatever the clock says.
        if now < task.starts_at or (
            outcome is None and _build_key(task) in self._render_tasks and _build_key(task) not in self._started_keys
        ):
            return TaskView(task, Phase.PENDING, 0.0)
        if outcome is None or now < task.ends_at:
            # Never all of it before it is over.
            return TaskView(task, Phase.RUNNING, min(share, 0.99))
        if outcome.failed:
            return TaskView(task, Phase.FAILED, share, outcome)
        return TaskView(task, Phase.SUCCESS, 1.0, outcome)

    async def _find_outcome(self, task: TaskRecord) -> TaskOutcome | None:
        key = _build_key(task)
        if task.verdict.failed:
            return TaskOutcome(failed=task.verdict.failed)
        # What is at work here needs no look at the disk.
        if key in self._outcomes or key in self._render_tasks:
            return self._outcomes.get(key)
        outcome = await asyncio.to_thread(self._store.read_outcome, task)
        if outcome is None:
            self._start(task)
        else:
            self._outcomes[key] = outcome
        return outcome

    async def _end_now(self, task: TaskRecord) -> TaskRecord:
        now = self._clock.now()
        task = replace(task, starts_at=min(task.starts_at, now), ends_at=min(task.ends_at, now))
        await asyncio.to_thread(self._store.put, task)
        return task

    def _start(self, task: TaskRecord) -> None:
        key = _build_key(task)
        if key in self._render_tasks or self._group is None:
            return
        render_task = self._group.create_task(self._render(task), name=f"render {task.service} {task.task_id}")
        self._render_tasks[key] = render_task
        render_task.add_done_callback(lambda _: self._render_tasks.pop(key, None))

    async def _delete_old(self) -> None:
        try:
            await asyncio.to_thread(self._store.delete_before, self._clock.now() - self.settings.keep_seconds)
        except OSError:  # old files cost room, no more
            logger.warning("old tasks could not be deleted", exc_info=True)

    async def _render(self, task: TaskRecord) -> None:
        try:
            await self._render_once(task)
        except OSError as err:  # the folder is gone or full: the task stays, and who looks at it starts it again
            log_defect(f"keeping task {task.task_id} of {task.service}", err)

    async def _render_once(self, task: TaskRecord) -> None:
        async with self._slots:
            claim = await asyncio.to_thread(self._store.claim, task)
            # Another instance renders it; its outcome will be found in the folder.
            if claim is None:
                return
            try:
                self._started_keys.add(_build_key(task))
                outcome = await self._render_outcome(task)
                self._outcomes[_build_key(task)] = await asyncio.to_thread(self._store.write_outcome, task, outcome)
            finally:
                self._started_keys.discard(_build_key(task))
                claim.release()

    async def _render_outcome(self, task: TaskRecord) -> TaskOutcome:
        arguments = await asyncio.to_thread(self._store.read_arguments, task)
        try:
            result = await self._renderers.get(task.service, self._run_engine)(task, arguments)
        # The engine's own refusals, in words for the caller.
        except ValueError as err:
            return TaskOutcome(failed=str(err))
        except Exception:  # whatever breaks a rendering is that task's failure, not the emulator's end
            logger.exception("a rendering failed", extra={"service": task.service, "task_id": task.task_id})
            return TaskOutcome(failed=ENGINE_ERROR)
        return await asyncio.to_thread(self._store_result, task, result)

    async def _run_engine(self, task: TaskRecord, arguments: dict[str, Any]) -> Any:
        return await call_engine(self._engine, task.function, **arguments)

    def _store_result(self, task: TaskRecord, result: Any) -> TaskOutcome:
        """Write what the engine made beside the task."""
        match result:
            case EngineResult(images=images, thumbnails=small, notes=notes, unmarked_images=unmarked):
                if unmarked:  # equal samples are kept once
                    for raw, original in dict(zip((raw for raw, _ in images), unmarked, strict=True)).items():
                        self._store.store_unmarked(task, raw, original)
                for index, ((raw, _), preview) in enumerate(zip(images, small, strict=True)):
                    self._store.write_file(task, build_raw_name(index, raw), raw)
                    self._store.write_file(task, f"small-{index}.jpg", preview)
                result_images = (
                    ResultImage(build_raw_name(i, raw), f"small-{i}.jpg", seed) for i, (raw, seed) in enumerate(images)
                )
                return TaskOutcome(images=tuple(result_images), notes=notes)
            case bytes():
                self._store.write_file(task, "result.bin", result)
                return TaskOutcome(file="result.bin")
            case _:
                return TaskOutcome(document=result)


def build_raw_name(index: int, image: bytes) -> str:
    """The file name of a result, by its content."""
    return f"raw-{index}.png" if image.startswith(b"\x89PNG") else f"raw-{index}.jpg"


def _build_key(task: TaskRecord) -> tuple[str, str]:
    return (task.service, task.task_id)
