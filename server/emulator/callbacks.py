"""Calls back to who submitted a task, when it is over."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import Tasks, View

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
PAUSE_S: Final = 0.2
TIMEOUT_S: Final = 10.0


class Callbacks:
    """The calls that are still to be made; each is tried three times, and its answer does not matter."""

    def __init__(self, tasks: Tasks) -> None:
        """Follow these tasks."""
        self._tasks = tasks
        self._group: asyncio.TaskGroup | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Call as long as the context lasts; what has not been called at its end is not."""
        async with asyncio.TaskGroup() as self._group:
            try:
                yield
            finally:
                for waiting in self._waiting:
                    waiting.cancel()

    def send_when_over(self, task: Task, url: str, body: Callable[[View], dict[str, Any]]) -> None:
        """POST ``body`` of the task, with its id, to ``url`` once it is over."""
        if self._group is None:
            return
        waiting = self._group.create_task(self._send(task, url, body), name=f"callback {task.task_id}")
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def _send(self, task: Task, url: str, body: Callable[[View], dict[str, Any]]) -> None:
        view = await self._over(task)
        if view is not None:
            await self._post(url, {**body(view), "task_id": task.task_id})

    async def _over(self, task: Task) -> View | None:
        """The task once its time has come and its pictures are there; None when it is gone."""
        await self._tasks.finished(task)
        while (view := await self._tasks.look(task.service, task.task_id, task.account)) is not None:
            if view.phase in {Phase.SUCCESS, Phase.FAILED}:
                return view
            await asyncio.sleep(PAUSE_S)
        return None

    async def _post(self, url: str, document: dict[str, Any]) -> None:
        import httpx2

        client = await asyncio.to_thread(lambda: httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False))
        async with client:
            for attempt in range(ATTEMPTS):
                try:
                    answer = await client.post(url, json=document)
                except (httpx2.HTTPError, httpx2.InvalidURL) as err:
                    logger.info("a callback failed", extra={"attempt": attempt, "error": type(err).__name__})
                else:
                    if answer.is_success:
                        return
                await asyncio.sleep(PAUSE_S)
